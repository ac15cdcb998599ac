"""AWS only: one small module a port. They take low-level boto3 clients and names; only wiring makes clients."""
