"""The Lambda handlers: each parses its event, calls one verb of the application, and answers."""
