#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: destinations that are symbolic links of the image, or lie behind some.
load ../lib/common
load ../lib/build

setup_file() {
    common_setup_file
    image
}
setup() { build_begin; }
teardown_file() { common_teardown_file; }

# below_t EXPECTED: what the Dockerfile leaves below /t.
below_t() {
    build --network none -o "type=tar,dest=$BATS_TEST_TMPDIR/tree.tar" || return
    same "$(listed "$BATS_TEST_TMPDIR/tree.tar" ' t/.')" "$1"
}

@test "COPY and ADD: behind a link that leads to nothing, what is missing is made where it leads" {
    echo a >a
    mkdir d
    echo x >d/x
    dockerfile <<'E'
FROM busybox
RUN mkdir /t && ln -s real/deep /t/dir && ln -s /t/there/file /t/file && ln -s dir/under /t/chain
COPY a /t/dir/
COPY --chown=5:6 a /t/file
ADD d /t/chain
COPY --chown=5:6 a /t/chain/new/a
E
    below_t 'lrwxrwxrwx 0/0 t/chain -> dir/under
lrwxrwxrwx 0/0 t/dir -> real/deep
lrwxrwxrwx 0/0 t/file -> /t/there/file
drwxr-xr-x 0/0 t/real/
drwxr-xr-x 0/0 t/real/deep/
-rw-r--r-- 0/0 t/real/deep/a
drwxr-xr-x 0/0 t/real/deep/under/
drwxr-xr-x 5/6 t/real/deep/under/new/
-rw-r--r-- 5/6 t/real/deep/under/new/a
-rw-r--r-- 0/0 t/real/deep/under/x
drwxr-xr-x 5/6 t/there/
-rw-r--r-- 5/6 t/there/file'
    holds t/there/file a
}

@test "COPY: a file goes where a link with its name leads, and replaces links in a directory" {
    mkdir d
    echo new >d/f
    dockerfile <<'E'
FROM busybox
RUN mkdir /t && echo old >/t/old && ln -s old /t/link && ln -s old /t/f
COPY d/f /t/link
COPY d /t
E
    below_t '-rw-r--r-- 0/0 t/f
lrwxrwxrwx 0/0 t/link -> old
-rw-r--r-- 0/0 t/old'
    holds t/old new
}

@test "COPY: a loop of links is told, with the path" {
    echo a >a
    for step in "COPY a /t/loop" "COPY a /t/loop/x" "WORKDIR /t/loop" "ADD a /t/loop/"; do
        printf 'FROM busybox\nRUN mkdir /t && ln -s loop /t/loop\n%s\n' "$step" >"$FILE"
        wrong "/t/loop" --network none
    done
}

@test "WORKDIR: a link that leads to nothing is followed, and commands start there" {
    dockerfile <<'E'
FROM busybox
RUN mkdir /t && ln -s ../t/work/here /t/w
WORKDIR /t/w/in
RUN pwd >where
E
    below_t 'lrwxrwxrwx 0/0 t/w -> ../t/work/here
drwxr-xr-x 0/0 t/work/
drwxr-xr-x 0/0 t/work/here/
drwxr-xr-x 0/0 t/work/here/in/
-rw-r--r-- 0/0 t/work/here/in/where'
    holds t/work/here/in/where /t/work/here/in
}

@test "RUN --mount: a target that is a link to nothing is made where it leads, and not left there" {
    echo a >a
    dockerfile <<'E'
FROM busybox
RUN mkdir /t && ln -s gone/m /t/m && ln -s /t/lost/f /t/f
RUN --mount=type=tmpfs,target=/t/m touch /t/gone/m/x && grep -q " /t/gone/m " /proc/self/mountinfo
RUN --mount=type=bind,source=a,target=/t/f grep a /t/lost/f
RUN --mount=type=cache,target=/t/m/below echo 1 >/t/m/below/kept; true
E
    below_t 'lrwxrwxrwx 0/0 t/f -> /t/lost/f
lrwxrwxrwx 0/0 t/m -> gone/m'
}

# root_archive: the tree of a root file system with /lib as a directory, as builders of packages make it.
root_archive() {
    mkdir -p tree/lib/deep tree/usr/share
    chmod 700 tree/lib
    echo x >tree/lib/x
    ln tree/lib/x tree/lib/hard
    echo y >tree/lib/deep/y
    ln -s x tree/lib/soft
    echo z >tree/usr/share/z
    tar --owner=7 --group=8 --sort=name -C tree -cf root.tar .
    rm -r tree
}

@test "ADD: an archive with directories that are links in the image goes where they lead, and links stay" {
    root_archive
    for link in usr/lib /t/usr/lib ../../../t/usr/../usr/lib; do
        dockerfile <<E
FROM busybox
RUN mkdir -p /t/usr/lib && ln -s $link /t/lib && echo old >/t/usr/lib/x
ADD root.tar /t/
E
        below_t "lrwxrwxrwx 0/0 t/lib -> $link
drwxr-xr-x 0/0 t/usr/
drwxr-xr-x 0/0 t/usr/lib/
drwxr-xr-x 7/8 t/usr/lib/deep/
-rw-r--r-- 7/8 t/usr/lib/deep/y
-rw-r--r-- 7/8 t/usr/lib/hard
lrwxrwxrwx 7/8 t/usr/lib/soft -> x
hrw-r--r-- 7/8 t/usr/lib/x link to t/usr/lib/hard
drwxr-xr-x 7/8 t/usr/share/
-rw-r--r-- 7/8 t/usr/share/z"
        holds t/usr/lib/hard x
    done
}

# both_below_t OWNER MADE: who owns what both.tar has, and what is made where a link of it leads.
both_below_t() {
    below_t "lrwxrwxrwx $1 t/lost -> not/there
drwxr-xr-x $2 t/not/
drwxr-xr-x $2 t/not/there/
drwxr-xr-x $1 t/not/there/b/
lrwxrwxrwx $1 t/now -> v1
drwxr-xr-x $1 t/v1/
-rw-r--r-- $1 t/v1/a"
}

@test "ADD: links that the archive brings, and links to nothing" {
    mkdir -p tree/v1 more/now
    ln -s v1 tree/now
    ln -s not/there tree/lost
    echo a >more/now/a
    tar --owner=7 --group=8 --sort=name -C tree -cf both.tar lost now v1
    tar --owner=7 --group=8 --sort=name -C more -rf both.tar now/a
    mkdir -p more/lost/b
    tar --owner=7 --group=8 --sort=name -C more -rf both.tar lost/b
    dockerfile <<'E'
FROM busybox
ADD both.tar /t/
E
    both_below_t 7/8 0/0
    sed -i 's/ADD/ADD --chown=1:2/' "$FILE"
    both_below_t 1/2 1/2
}

@test "ADD: an archive behind links that go round, or onto a file, is an error that names it" {
    mkdir -p tree/loop/x
    touch tree/loop/x/f
    tar -C tree -cf loop.tar loop/x/f
    for link in loop /etc/passwd; do
        printf 'FROM busybox\nRUN mkdir /t && ln -s %s /t/loop\nADD loop.tar /t/\n' "$link" >"$FILE"
        wrong "loop/x/f" --network none
    done
    tar -C tree -cf loop.tar loop
    wrong "loop/" --network none
}
