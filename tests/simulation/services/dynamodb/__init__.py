"""DynamoDB: tables, their streams, and the client."""
