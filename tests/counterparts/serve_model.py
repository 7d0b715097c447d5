"""Serves a model file with a real llama.cpp server: `serve_model.py MODEL [PORT]`, in the counterparts' environment.

With a port it serves embeddings there (the vector of a text is the mean of its tokens' own: texts that share words are
near), otherwise chat on a free one. Prints the address when it listens (loopback) and ends when its standard input
does, so that it cannot outlive the tests that started it.
"""

from __future__ import annotations

import sys

import xllamacpp


def chatting(params: xllamacpp.CommonParams) -> None:
    params.port = 0
    params.n_parallel = 2
    params.n_ctx = 2 * 32768  # shared by the two slots
    params.n_predict = -1
    params.sampling.temp = 0
    params.use_jinja = True


def embedding(params: xllamacpp.CommonParams, port: int) -> None:
    params.port = port
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.n_ctx = 4096
    params.n_batch = params.n_ubatch = 512  # as by default: a longer text is refused


def main() -> None:
    params = xllamacpp.CommonParams()
    params.model.path, *port = sys.argv[1:]
    params.hostnames = ["127.0.0.1"]
    if port:
        embedding(params, int(port[0]))
    else:
        chatting(params)
    params.warmup = False
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
