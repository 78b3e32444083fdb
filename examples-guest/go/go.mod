module longhaul.example

go 1.24

require longhaul v0.0.0

replace longhaul => ../../guest-sdk/go
