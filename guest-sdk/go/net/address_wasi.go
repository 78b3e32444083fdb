//go:build wasip2

package net

import (
	"net/netip"
	"strconv"

	"longhaul/internal/wit/socketsnetwork"
)

// addrOf is an address out of the host's terms.
func addrOf(address socketsnetwork.IpAddress) netip.Addr {
	switch address := address.(type) {
	case socketsnetwork.IpAddressIpv4:
		return netip.AddrFrom4(address.Value)
	case socketsnetwork.IpAddressIpv6:
		return netip.AddrFrom16(bytesOf(address.Value))
	}
	return netip.Addr{}
}

// addrPortOf is an address with its port.
func addrPortOf(address socketsnetwork.IpSocketAddress) netip.AddrPort {
	switch address := address.(type) {
	case socketsnetwork.IpSocketAddressIpv4:
		return netip.AddrPortFrom(netip.AddrFrom4(address.Value.Address), address.Value.Port)
	case socketsnetwork.IpSocketAddressIpv6:
		ip := netip.AddrFrom16(bytesOf(address.Value.Address))
		if zone := address.Value.ScopeID; zone != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(zone), 10))
		}
		return netip.AddrPortFrom(ip, address.Value.Port)
	}
	return netip.AddrPort{}
}

// socketAddress is an address in the host's terms.
func socketAddress(at netip.AddrPort) socketsnetwork.IpSocketAddress {
	ip := at.Addr()
	if ip.Is4() {
		return socketsnetwork.IpSocketAddressIpv4{Value: socketsnetwork.Ipv4SocketAddress{Port: at.Port(), Address: ip.As4()}}
	}
	var groups socketsnetwork.Ipv6Address
	bytes := ip.As16()
	for i := range groups {
		groups[i] = uint16(bytes[2*i])<<8 | uint16(bytes[2*i+1])
	}
	// The host knows zones by their numbers only.
	zone, _ := strconv.ParseUint(ip.Zone(), 10, 32)
	return socketsnetwork.IpSocketAddressIpv6{Value: socketsnetwork.Ipv6SocketAddress{Port: at.Port(), Address: groups, ScopeID: uint32(zone)}}
}

func bytesOf(groups socketsnetwork.Ipv6Address) (bytes [16]byte) {
	for i, group := range groups {
		bytes[2*i], bytes[2*i+1] = byte(group>>8), byte(group)
	}
	return bytes
}

func familyOf(of family) socketsnetwork.IpAddressFamily {
	if of == ipv6 {
		return socketsnetwork.IpAddressFamilyIpv6
	}
	return socketsnetwork.IpAddressFamilyIpv4
}
