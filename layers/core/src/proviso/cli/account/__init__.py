"""The AWS account that a stack is in: `proviso doctor` and `proviso teardown`.

boto3 is imported where an account is first used, so that the command line stays quick.
"""
