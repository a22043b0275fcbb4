"""The same work for many visitors: jobs, the line they wait in, what belongs to whom."""
