"""What a user would pick instead, each in a process of its own, as its documentation says."""
