# Short names for the chores: `just demo` is `cargo xtask demo`.

# List the chores
default:
    @just --list

# Play an order from creation to delivery, with a crash in the middle
demo:
    cargo xtask demo

# Run all tests
test:
    cargo xtask test

# Play random programs under random crashes, for example `just soak --minutes 30`
soak *arguments:
    cargo xtask soak {{ arguments }}

# Build every example guest into target/guests/
guests:
    cargo xtask guests

# Measure the release build, for example `just bench empty --concurrency 64`
bench *arguments:
    cargo xtask bench {{ arguments }}

# Formatting, clippy, documentation and all tests
ci:
    cargo xtask ci
