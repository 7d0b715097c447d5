"""Serves a model file with a real llama.cpp server: `serve_model.py MODEL`. Runs in the counterparts' environment.

Prints the address when it listens (loopback, a free port) and ends when its standard input does, so that it cannot
outlive the tests that started it.
"""

from __future__ import annotations

import sys

import xllamacpp


def main() -> None:
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = 2
    params.n_ctx = 2 * 32768  # shared by the two slots
    params.n_predict = -1
    params.sampling.temp = 0
    params.use_jinja = True
    params.warmup = False
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
