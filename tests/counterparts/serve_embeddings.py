"""Serves embeddings with a real llama.cpp server: `serve_embeddings.py MODEL PORT`, in the counterparts' environment.

The vector of a text is the mean of its tokens' own: texts that share words are near. Prints the address when it listens
and ends when its standard input does.
"""

from __future__ import annotations

import sys

import xllamacpp


def main() -> None:
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[2])
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.n_ctx = 4096
    params.n_batch = params.n_ubatch = 512  # as by default: a longer text is refused
    params.warmup = False
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
