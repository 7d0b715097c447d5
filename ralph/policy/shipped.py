"""What runs unasked on a fresh installation: shell commands that only read."""

from __future__ import annotations

READ_ONLY = """
ls, cat, pwd, head, tail, wc, tac, nl, rev, fold, expand, unexpand, column, paste, join, comm, cut, tr, sort, uniq
grep, egrep, fgrep, zgrep, rg, ag, ack, find, fd, fdfind, tree, eza, exa, bat, sed -n, look, tsort
stat, file, du, df, diff, cmp, zcat, strings, od, xxd, hexdump, readelf, nm, size, objdump
md5sum, sha1sum, sha224sum, sha256sum, sha384sum, sha512sum, b2sum, cksum, sum, shasum
jq, xmllint, tokei, cloc, scc
echo, printf, true, false, seq, expr, test, factor, numfmt, cal, basename, dirname, realpath, readlink
which, whereis, whoami, id, groups, logname, users, who, w, tty, locale, getconf, uname, arch, hostname, nproc
date, uptime, free, lscpu, lsblk, lsmod, vmstat, ps, pgrep, pidof, ss, netstat, ip addr, ip route
git status, git log, git diff, git branch, git show, git blame, git annotate, git shortlog, git describe, git reflog
git rev-parse, git rev-list, git merge-base, git name-rev, git ls-files, git ls-tree, git cat-file, git show-ref
git for-each-ref, git diff-tree, git count-objects, git check-ignore, git check-attr, git grep, git remote, git cherry
git tag, git tag -l, git tag --list, git stash list, git stash show, git worktree list, git submodule status
git config --get, git config --list, git config -l, git version, git whatchanged, git range-diff
git --version, python --version, python -V, python3 --version, python3 -V, pip --version, uv --version
node --version, node -v, npm --version, npm -v, pnpm --version, yarn --version, bun --version, deno --version
cargo --version, rustc --version, rustup --version, go version, java -version, java --version, javac --version
ruby --version, perl --version, php --version, gcc --version, g++ --version, clang --version, make --version
cmake --version, docker --version, terraform --version, terraform version, aws --version
gh --version, pytest --version, ruff --version, mypy --version, tsc --version, poetry --version, pre-commit --version
pip list, pip freeze, pip show, pip check, npm ls, npm list, npm root, npm prefix, go env, go doc, cargo version
docker ps, docker images, docker version
git --no-pager log, git --no-pager diff, git --no-pager show, git --no-pager status, git --no-pager blame
git config user.name, git config user.email, git symbolic-ref HEAD, git symbolic-ref --short, git var GIT_EDITOR
git bisect log, git notes list, command -v, type, [, uv pip list, npm config get
cargo -V, rustc -V, javac -version, ruby -v, php -v, perl -v, lua -v, ssh -V, tmux -V, openssl version
lsb_release -a, git ls-remote --get-url, bash --version, curl --version
python3.10 --version, python3.11 --version, python3.12 --version, python3.13 --version
zsh --version, vim --version, nvim --version, wget --version, psql --version
sqlite3 --version, black --version, eslint --version, dotnet --version, swift --version, mvn --version
gradle --version, kubectl version --client, lsof, sw_vers
"""
"""Commands whose words begin like one of these, as far as the program table says that they only read."""


def commands() -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(item.split()) for line in READ_ONLY.strip().splitlines() for item in line.split(", "))
