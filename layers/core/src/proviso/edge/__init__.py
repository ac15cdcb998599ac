"""Where AWS's event shapes end: batches and HTTP requests in, results and answers out, with Powertools.

Functions are thin because what all of them would repeat stands here once: partial batch failures, S3 notifications in
queue messages, refusals as HTTP answers, one correlation id through a frame's whole way.
"""
