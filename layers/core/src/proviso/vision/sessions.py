"""ONNX Runtime sessions with the settings that were measured, loaded once and only when first needed."""

from typing import Any


def load_session(model: bytes, *, threads: int) -> Any:
    """A session over the model's verified bytes.

    Graph optimisation stays at ALL (below it: about three times slower). Threads are given, not guessed: a small
    Lambda has less than one core, and ONNX Runtime would start as many as the host shows. Idle threads do not spin.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return ort.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
