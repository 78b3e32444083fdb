package main

import (
	"context"
	"os"
	"time"

	"longhaul/net"
	"longhaul/workflow"
)

// outside tries what only activities may have: time that passes by itself, the network, files.
func outside(_ workflow.Context, deed string) (string, error) {
	var err error
	switch deed {
	case "after":
		<-time.After(time.Second)
	case "timer":
		<-time.NewTimer(time.Second).C
	case "func":
		fired := make(chan bool)
		time.AfterFunc(time.Second, func() { fired <- true })
		<-fired
	case "ticker":
		<-time.NewTicker(time.Second).C
	case "timeout":
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		<-ctx.Done()
		err = ctx.Err()
	case "select":
		select {
		case <-make(chan int):
		case <-time.After(time.Second):
		}
	case "dial":
		_, err = net.Dial("tcp", "127.0.0.1:1")
	case "lookup":
		_, err = net.LookupHost("localhost")
	case "packet":
		_, err = net.ListenPacket("udp", ":0")
	case "file":
		_, err = os.ReadFile("/etc/passwd")
	}
	return deed, err
}
