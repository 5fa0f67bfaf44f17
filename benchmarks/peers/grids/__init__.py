"""One module a contestant: each is run in a process of its own and answers through `benchmarks.peers.worker`."""
