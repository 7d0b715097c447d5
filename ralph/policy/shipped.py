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
node --version, node -v, npm --version, npm -v, bun --version, deno --version
rustup --version, go version, java -version, java --version, javac --version
ruby --version, perl --version, php --version, gcc --version, g++ --version, clang --version, make --version
cmake --version, docker --version, terraform --version, terraform version, aws --version
gh --version, ruff --version, mypy --version, tsc --version, pre-commit --version
pip list, pip freeze, pip show, pip check, npm ls, npm list, npm root, npm prefix, go env, go doc
docker ps, docker images, docker version
git --no-pager log, git --no-pager diff, git --no-pager show, git --no-pager status, git --no-pager blame
git config user.name, git config user.email, git symbolic-ref HEAD, git symbolic-ref --short, git var GIT_EDITOR
git bisect log, git notes list, command -v, type, [, npm config get
javac -version, ruby -v, php -v, perl -v, lua -v, ssh -V, tmux -V, openssl version
lsb_release -a, git ls-remote --get-url, bash --version, curl --version
python3.10 --version, python3.11 --version, python3.12 --version, python3.13 --version
zsh --version, vim --version, nvim --version, wget --version, psql --version
sqlite3 --version, black --version, eslint --version, swift --version
kubectl version --client, lsof, sw_vers
awk, gawk, mawk, nawk, sed, yq, fmt, pr, iconv, base64, base32, shuf, diff3, sdiff, colordiff, bc, pdfinfo
git diff-index, git diff-files, git hash-object, git fsck, git show-branch, git sparse-checkout list, git submodule
git rerere status, git rerere diff, git notes show, git config --get-all, git config --get-regexp, git archive --list
git config --show-origin, git bundle verify, git bundle list-heads, git check-mailmap, git help -a
docker logs, docker stats --no-stream, docker top, docker port, docker info, docker history, docker diff
docker image ls, docker container ls, docker network ls, docker volume ls, docker system df, docker context ls
docker compose ps, docker compose ls, docker compose logs, docker compose images, docker compose top
docker compose version, docker-compose ps, docker-compose logs, podman ps, podman images, podman logs
npm run, npm pkg get, npm explain, npm why, npm bin, npm query, pip inspect, pip debug, pip cache dir, pip cache list
pip hash, pip3 list, pip3 show, pip3 freeze, pip3 check, pip3 --version, conda list, conda env list, conda info
rustup toolchain list, rustup target list, go help, just --list, just --summary
gem list, gem env, gem which, pyenv versions, pyenv version, pyenv which, rbenv versions, rbenv version, rbenv which
tar, unzip, zipinfo, bzcat, xzcat, zstdcat, ar, rpm -q, rpm -qa, rpm -ql, rpm -qf
dpkg, dpkg-query, apt list, apt show, apt search, apt policy, apt depends, apt-cache, apt-mark showmanual
apt-mark showauto, apt-mark showhold, brew list, brew --prefix, brew leaves, brew deps, snap list, flatpak list
pacman -Q, pacman -Qi, pacman -Ql, pacman -Qo
systemctl, journalctl, systemd-analyze, timedatectl, hostnamectl, loginctl list-sessions, loginctl list-users
resolvectl status, nmcli device status, nmcli general status, update-alternatives --list
pstree, top -b, top -bn1, iostat, mpstat, dmesg, last, mount, findmnt, mountpoint, blkid, pmap, pwdx
ip, ifconfig, route, arp, lsusb, lspci, lshw, sensors, sysctl, getent, fc-list, nvidia-smi, crontab -l
printenv PATH, printenv HOME, printenv SHELL, printenv USER, printenv LANG, printenv PWD, printenv TERM, printenv EDITOR
tput, stty -a, stty size, namei, getfacl, lsattr, locate, plocate, whatis, apropos, csvcut, csvstat
openssl x509, openssl dgst, otool, ldconfig -p, pkg-config, gcc -dumpversion, gcc -dumpmachine
tmux ls, tmux list-sessions, tmux list-windows, tmux list-panes, screen -ls
shellcheck, hadolint, yamllint, ruff rule, kubectl config current-context, kubectl config get-contexts
podman --version, helm version, gem --version, elixir --version, zig version
ghc --version, julia --version, R --version, Rscript --version, nox --version, hatch --version
ninja --version, meson --version, just --version, rsync --version
"""
"""Commands whose words begin like one of these, as far as the program table says that they only read.

None whose program takes orders from the directory it is started in, even for `--version`: cargo and rustc (a toolchain
by path), yarn, pnpm, mvn, gradle, dotnet, pytest, tox, poetry, composer, bundle.
"""


def commands() -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(item.split()) for line in READ_ONLY.strip().splitlines() for item in line.split(", "))
