from tests.counterparts.fixtures import counterpart_python, llama_server, noise_server

__all__ = ["counterpart_python", "llama_server", "noise_server"]
