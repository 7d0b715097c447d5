"""What runs unasked on a fresh installation: shell commands that only read."""

from __future__ import annotations

READ_ONLY = """
ls
cat
pwd
head
tail
wc
grep
egrep
fgrep
rg
find
fd
tree
stat
file
du
df
sort
uniq
cut
tr
diff
cmp
comm
paste
nl
jq
which
whoami
id
uname
hostname
date
uptime
nproc
arch
basename
dirname
realpath
readlink
md5sum
sha1sum
sha256sum
cksum
echo
printf
true
false
seq
free
lscpu
ps
git status
git log
git diff
git branch
git show
git rev-parse
git blame
git remote
git ls-files
git ls-tree
git describe
git shortlog
git tag
git stash list
git cat-file
git rev-list
git merge-base
git name-rev
git check-ignore
git grep
git --version
python --version
python3 --version
node --version
npm --version
cargo --version
go version
pip --version
pip list
pip show
npm ls
"""
"""One entry a line: a command whose words begin like this, as far as its program's permitted options go."""
