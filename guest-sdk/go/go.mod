module longhaul

go 1.24
