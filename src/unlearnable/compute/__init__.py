"""On what it is computed: devices, threads, a Ray cluster."""
