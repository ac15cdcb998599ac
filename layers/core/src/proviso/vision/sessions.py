"""ONNX Runtime sessions with the settings that were measured, loaded once and only when first needed."""

import os
from typing import Any


def runtime() -> Any:
    """ONNX Runtime, which tells nobody of it. From 1.29 on its Linux builds begin at their import to write a device's
    identifier and a database of events below the home folder, and to send them to Microsoft, unless this is set."""
    os.putenv("ORT_DISABLE_TELEMETRY", "1")  # for the library alone: nothing of ours reads it
    import onnxruntime

    return onnxruntime


def load_session(model: bytes, *, threads: int) -> Any:
    """A session over the model's verified bytes.

    Graph optimisation stays at ALL (below it: about three times slower). Threads are given, not guessed: a small
    Lambda has less than one core, and ONNX Runtime would start as many as the host shows. Idle threads do not spin.
    """
    ort = runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return ort.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
