#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: what each instruction does to the files and to the configuration.
load ../lib/common
load ../lib/build

setup_file() {
    common_setup_file
    image
}
setup() { build_begin; }
teardown_file() { common_teardown_file; }

# --- FROM ---

@test "FROM: stages by name in any case, by number, scratch, and arguments in the name" {
    echo a >a
    dockerfile <<'E'
ARG BASE=nothing STAGE=One
FROM scratch AS one
COPY a /one
FROM ${BASE} AS Two
COPY --from=ONE /one /two
COPY --from=0 /one /number
FROM two
COPY --from=tWO two /three
COPY --from=one one /four
E
    tree '-rw-r--r-- 0/0 four
-rw-r--r-- 0/0 number
-rw-r--r-- 0/0 three
-rw-r--r-- 0/0 two' --build-arg BASE=scratch
}

@test "FROM: of an image its configuration and layers are kept, and stages that nobody needs are not built" {
    dockerfile <<'E'
FROM busybox AS broken
RUN exit 1
FROM busybox AS base
ENV A=1
FROM base
ENV B=2
E
    image_builds t
    [[ $(config Env) = *A=1*B=2* ]]
    [ "$(caisson image inspect -f '{{json .RootFS.Layers}}' t)" = \
        "$(caisson image inspect -f '{{json .RootFS.Layers}}' busybox)" ]
    unsaid "exit 1"
}

@test "FROM: --platform is checked against the image, and set for scratch" {
    dockerfile <<'E'
FROM --platform=linux/s390x busybox
E
    wrong "is for linux/"
    echo a >a
    dockerfile <<'E'
FROM --platform=linux/arm64 scratch
COPY a /
E
    image_builds t
    [ "$(caisson image inspect -f '{{.Os}}/{{.Architecture}}' t)" = linux/arm64 ]
}

@test "FROM: BUILDPLATFORM and the parts of the platforms can be declared" {
    machine=$(caisson image inspect -f '{{.Architecture}}' busybox)
    dockerfile <<'E'
FROM --platform=$BUILDPLATFORM busybox
ARG TARGETARCH TARGETOS TARGETPLATFORM BUILDARCH
LABEL is=$TARGETOS/$TARGETARCH/$TARGETPLATFORM/$BUILDARCH
E
    image_builds t
    [ "$(config Labels)" = "{\"is\":\"linux/$machine/linux/$machine/$machine\"}" ]
}

# --- RUN ---

@test "RUN: the shell form, the exec form, continued lines, and what an earlier one left" {
    dockerfile <<'E'
FROM busybox
RUN echo one >/one && \
    # a comment between
    echo two >>/one
RUN ["sh", "-c", "echo $0 \"$@\" >/two", "a b", "$HOME"]
RUN cat /one /two >/three; rm /one
E
    files out --network none
    [ "$(cat out/three)" = $'one\ntwo\na b $HOME' ]
    [ ! -e out/one ]
}

@test "RUN: here-documents, plain, with an interpreter, several, with tabs, for a command" {
    dockerfile <<'E'
FROM busybox
ENV WHO=you
RUN <<EOF
echo one $WHO >/one
echo two >>/one
EOF
RUN <<EOF
#!/bin/cat
this is the script $WHO
EOF
RUN <<EOF1 cat >/two && cat <<'EOF2' >>/two
first $WHO
EOF1
second $WHO
EOF2
RUN <<-EOF
	echo three >/three
	EOF
RUN sh -s a <<EOF
echo $1 \$1 >/four
EOF
E
    files out --network none
    same "$(cat out/one)" $'one you\ntwo'
    said "this is the script"
    same "$(cat out/two)" $'first you\nsecond $WHO'
    [ "$(cat out/three)" = three ]
    [ "$(cat out/four)" = a ]
    [ ! -e out/dev/pipes ]
}

@test "RUN: USER, WORKDIR, SHELL, ENV and ARG hold for what comes after them" {
    dockerfile <<'E'
FROM busybox
ARG ONE=arg
ENV TWO=env ONE=wins
RUN echo "$(id -u):$(id -g) $(pwd) $ONE $TWO" >/a
WORKDIR /w
USER 5:6
RUN echo "$(id -u):$(id -g) $(pwd) $HOME" >/tmp/b
RUN <<EOF
#!/bin/sh
id -u >/tmp/script
EOF
USER nobody
RUN echo "$(id -u) $HOME" >/tmp/c
SHELL ["/bin/sh", "-e", "-u", "-c"]
RUN echo $- >/tmp/d
RUN echo $UNSET >/tmp/e
E
    wrong "exit code"
    sed -i '$d' "$FILE"
    files out --network none
    [ "$(cat out/a)" = "0:0 / wins env" ]
    [ "$(cat out/tmp/b)" = "5:6 /w /" ]
    [ "$(cat out/tmp/script)" = 5 ]
    [ "$(cat out/tmp/c)" = "65534 /nonexistent" ]
    [[ $(cat out/tmp/d) = *[eu]*[eu]* ]]
}

@test "RUN: owners, modes, links, pipes, whiteouts and what is hidden end up in the layer" {
    dockerfile <<'E'
FROM busybox
RUN mkdir /t && cd /t && touch f && chown 7:8 f && chmod 6755 f && ln f hard && ln -s /x soft && mkfifo p && mkdir -m 1777 d
RUN rm /t/hard && rm -r /t/d && mkdir /t/d && touch /t/d/new
E
    build --network none -o "type=tar,dest=$BATS_TEST_TMPDIR/tree.tar"
    same "$(listed "$BATS_TEST_TMPDIR/tree.tar" ' t/')" 'drwxr-xr-x 0/0 t/
drwxr-xr-x 0/0 t/d/
-rw-r--r-- 0/0 t/d/new
-rwsr-sr-x 7/8 t/f
prw-r--r-- 0/0 t/p
lrwxrwxrwx 0/0 t/soft -> /x'
}

# --- COPY ---

@test "COPY: a file to a name, into a directory, several, a directory's contents" {
    mkdir -p d/sub
    echo a >a
    echo b >b
    echo c >d/c
    echo s >d/sub/s
    chmod 700 d/sub
    chmod 755 b
    ln -s c d/link
    dockerfile <<'E'
FROM scratch
COPY a /as
COPY a /dir/
COPY a b /both/
COPY d /contents
COPY d/ /slash/
COPY ["a", "/with space"]
E
    tree '-rw-r--r-- 0/0 as
drwxr-xr-x 0/0 both/
-rw-r--r-- 0/0 both/a
-rwxr-xr-x 0/0 both/b
drwxr-xr-x 0/0 contents/
-rw-r--r-- 0/0 contents/c
lrwxrwxrwx 0/0 contents/link -> c
drwx------ 0/0 contents/sub/
-rw-r--r-- 0/0 contents/sub/s
drwxr-xr-x 0/0 dir/
-rw-r--r-- 0/0 dir/a
drwxr-xr-x 0/0 slash/
-rw-r--r-- 0/0 slash/c
lrwxrwxrwx 0/0 slash/link -> c
drwx------ 0/0 slash/sub/
-rw-r--r-- 0/0 slash/sub/s
-rw-r--r-- 0/0 with space'
    holds contents/sub/s s
}

@test "COPY: several sources go into a directory; one that is there takes a file in" {
    echo a >a
    echo b >b
    mkdir d
    dockerfile <<'E'
FROM scratch
COPY a b /x
COPY d /there
COPY a /there
WORKDIR /w
COPY a .
COPY b ./other
E
    tree 'drwxr-xr-x 0/0 there/
-rw-r--r-- 0/0 there/a
drwxr-xr-x 0/0 w/
-rw-r--r-- 0/0 w/a
-rw-r--r-- 0/0 w/other
drwxr-xr-x 0/0 x/
-rw-r--r-- 0/0 x/a
-rw-r--r-- 0/0 x/b'
}

@test "COPY: wild cards, and what is not there" {
    mkdir d
    touch a1.txt a2.txt b1.txt 'a[.txt' d/a9.txt
    dockerfile <<'E'
FROM scratch
COPY a?.txt /question/
COPY *1.txt /star/
COPY [ab]2.txt /class/
COPY a[[].txt /bracket/
COPY d/*.txt /deep/
E
    tree 'drwxr-xr-x 0/0 bracket/
-rw-r--r-- 0/0 bracket/a[.txt
drwxr-xr-x 0/0 class/
-rw-r--r-- 0/0 class/a2.txt
drwxr-xr-x 0/0 deep/
-rw-r--r-- 0/0 deep/a9.txt
drwxr-xr-x 0/0 question/
-rw-r--r-- 0/0 question/a1.txt
-rw-r--r-- 0/0 question/a2.txt
-rw-r--r-- 0/0 question/a[.txt
drwxr-xr-x 0/0 star/
-rw-r--r-- 0/0 star/a1.txt
-rw-r--r-- 0/0 star/b1.txt'
    dockerfile <<'E'
FROM scratch
COPY a1.txt nothing* /x/
E
    tree 'drwxr-xr-x 0/0 x/
-rw-r--r-- 0/0 x/a1.txt'
    dockerfile <<'E'
FROM scratch
COPY a1.txt missing /x/
E
    wrong "missing"
}

@test "COPY: --chown by name and number, --chmod octal and symbolic" {
    mkdir d
    echo a >a
    echo x >d/x
    chmod 755 d/x
    dockerfile <<'E'
FROM busybox
ARG WHO=nobody
COPY --chown=$WHO a /t/name
COPY --chown=nobody:root a /t/both
COPY --chown=12 a /t/number
COPY --chown=12:34 --chmod=640 d/x /t/d/x
COPY --chmod=u=rwX,go=rX d /t/x
COPY --chmod=+x a /t/plus
COPY --chmod=4711 a /t/setuid
E
    build -o "type=tar,dest=$BATS_TEST_TMPDIR/tree.tar"
    same "$(listed "$BATS_TEST_TMPDIR/tree.tar" ' t/..*' | grep -v ' t/d/$')" '-rw-r--r-- 65534/0 t/both
-rw-r----- 12/34 t/d/x
-rw-r--r-- 65534/65534 t/name
-rw-r--r-- 12/12 t/number
-rwxr-xr-x 0/0 t/plus
-rws--x--x 0/0 t/setuid
drwxr-xr-x 0/0 t/x/
-rwxr-xr-x 0/0 t/x/x'
    dockerfile <<'E'
FROM busybox
COPY --chown=nobody-known a /t
E
    wrong "nobody-known"
    dockerfile <<'E'
FROM busybox
COPY --chmod=9 a /t
E
    wrong "--chmod=9"
}

@test "COPY: --link stands on nothing, and gives the same files" {
    echo a >a
    dockerfile <<'E'
FROM busybox
RUN mkdir /t && ln -s t /l
COPY --link --chown=3:4 a /t/a
COPY --link a /new/deep/a
E
    build --network none -o "type=tar,dest=$BATS_TEST_TMPDIR/tree.tar"
    same "$(listed "$BATS_TEST_TMPDIR/tree.tar" ' (t/.|new|l)')" 'lrwxrwxrwx 0/0 l -> t
drwxr-xr-x 0/0 new/
drwxr-xr-x 0/0 new/deep/
-rw-r--r-- 0/0 new/deep/a
-rw-r--r-- 3/4 t/a'
}

@test "COPY: --parents with and without a pivot, and with **" {
    mkdir -p x/a x/b y
    touch x/a/f x/b/f y/f x/a/g
    dockerfile <<'E'
FROM scratch
COPY --parents x/a/f y/f /plain/
COPY --parents x/./b/f /pivot/
COPY --parents **/g /any/
COPY --parents ./x/*/f /star/
E
    tree 'drwxr-xr-x 0/0 any/
drwxr-xr-x 0/0 any/x/
drwxr-xr-x 0/0 any/x/a/
-rw-r--r-- 0/0 any/x/a/g
drwxr-xr-x 0/0 pivot/
drwxr-xr-x 0/0 pivot/b/
-rw-r--r-- 0/0 pivot/b/f
drwxr-xr-x 0/0 plain/
drwxr-xr-x 0/0 plain/x/
drwxr-xr-x 0/0 plain/x/a/
-rw-r--r-- 0/0 plain/x/a/f
drwxr-xr-x 0/0 plain/y/
-rw-r--r-- 0/0 plain/y/f
drwxr-xr-x 0/0 star/
drwxr-xr-x 0/0 star/x/
drwxr-xr-x 0/0 star/x/a/
-rw-r--r-- 0/0 star/x/a/f
drwxr-xr-x 0/0 star/x/b/
-rw-r--r-- 0/0 star/x/b/f'
}

@test "COPY: --exclude leaves out, again and again, from the context and from a stage" {
    mkdir -p d/sub
    touch d/a.txt d/b.md d/sub/c.txt d/sub/d.md
    dockerfile <<'E'
FROM scratch AS all
COPY d /d
FROM scratch
COPY --exclude=*.md --exclude=sub/c.txt d /one
COPY --exclude=**/*.txt d /two
COPY --from=all --exclude=sub d /three
E
    tree 'drwxr-xr-x 0/0 one/
-rw-r--r-- 0/0 one/a.txt
drwxr-xr-x 0/0 one/sub/
-rw-r--r-- 0/0 one/sub/d.md
drwxr-xr-x 0/0 three/
-rw-r--r-- 0/0 three/a.txt
-rw-r--r-- 0/0 three/b.md
drwxr-xr-x 0/0 two/
-rw-r--r-- 0/0 two/b.md
drwxr-xr-x 0/0 two/sub/
-rw-r--r-- 0/0 two/sub/d.md'
}

@test "COPY: --from a stage keeps owners, and takes an image or a number" {
    dockerfile <<'E'
FROM busybox AS made
RUN mkdir -m 700 /d && touch /d/f && chown -R 5:6 /d && mkfifo /d/p && ln /d/f /d/same
FROM scratch
COPY --from=made /d /d
COPY --from=made --chown=1:2 /d/f /f
COPY --from=busybox /etc/passwd /image/
COPY --from=0 /d/f /number
E
    build --network none -o "type=tar,dest=$BATS_TEST_TMPDIR/tree.tar"
    same "$(listed "$BATS_TEST_TMPDIR/tree.tar" '[^/]$' | sed 's/^h/-/; s/ link to .*//')" '-rw-r--r-- 5/6 d/f
prw-r--r-- 0/0 d/p
-rw-r--r-- 5/6 d/same
-rw-r--r-- 1/2 f
-rw-r--r-- 0/0 image/passwd
-rw-r--r-- 5/6 number'
    dockerfile <<'E'
FROM scratch
COPY --from=neither-stage-nor-image /x /
E
    wrong "neither-stage-nor-image"
}

@test "COPY: here-documents, expanded or not, with an owner" {
    dockerfile <<'E'
FROM scratch
ARG WHO=you
COPY <<EOF /expanded
hello $WHO "quoted"
EOF
COPY --chmod=755 --chown=4:5 <<'EOF' /raw
hello $WHO
EOF
COPY <<one <<two /both/
1
one
2
two
E
    tree 'drwxr-xr-x 0/0 both/
-rw-r--r-- 0/0 both/one
-rw-r--r-- 0/0 both/two
-rw-r--r-- 0/0 expanded
-rwxr-xr-x 4/5 raw'
    holds expanded 'hello you "quoted"'
    # shellcheck disable=SC2016 # as it is written
    holds raw 'hello $WHO'
    holds both/two 2
}

@test "COPY: into a directory that is a link in the image, and links of the context stay links" {
    mkdir d
    echo a >a
    echo x >d/x
    ln -s a link
    dockerfile <<'E'
FROM busybox
RUN mkdir -p /t/real && ln -s real /t/link && ln -s /t/real /t/absolute
COPY a /t/link/one
COPY d /t/absolute
COPY link /t/links/
COPY link /t/followed
E
    build --network none -o "type=tar,dest=$BATS_TEST_TMPDIR/tree.tar"
    same "$(listed "$BATS_TEST_TMPDIR/tree.tar" ' t/')" 'drwxr-xr-x 0/0 t/
lrwxrwxrwx 0/0 t/absolute -> /t/real
-rw-r--r-- 0/0 t/followed
lrwxrwxrwx 0/0 t/link -> real
drwxr-xr-x 0/0 t/links/
-rw-r--r-- 0/0 t/links/link
drwxr-xr-x 0/0 t/real/
-rw-r--r-- 0/0 t/real/one
-rw-r--r-- 0/0 t/real/x'
}

@test "COPY: .. ends at the context and at the root, and a file is no directory" {
    echo a >a
    mkdir d
    echo host >../host
    dockerfile <<'E'
FROM scratch
COPY ../../a /../../up
COPY d/../a /down
E
    tree '-rw-r--r-- 0/0 down
-rw-r--r-- 0/0 up'
    dockerfile <<'E'
FROM scratch
COPY ../host /
E
    wrong "host"
    dockerfile <<'E'
FROM scratch
COPY a /x
COPY a /x/y
E
    wrong "COPY a /x/y"
    mkdir d/x
    touch d/x/f
    dockerfile <<'E'
FROM scratch
COPY a /x
COPY d /
E
    wrong "/x"
}

@test "COPY: .dockerignore and the Dockerfile's own, which comes before it" {
    mkdir -p node/deep keep
    touch a.log b.txt node/f node/deep/keep keep/x.log
    printf '*.log\nnode\n!node/deep/keep\n# comment\n\n' >.dockerignore
    dockerfile <<'E'
FROM scratch
COPY . /
E
    tree '-rw-r--r-- 0/0 .dockerignore
-rw-r--r-- 0/0 b.txt
drwxr-xr-x 0/0 keep/
-rw-r--r-- 0/0 keep/x.log
drwxr-xr-x 0/0 node/
drwxr-xr-x 0/0 node/deep/
-rw-r--r-- 0/0 node/deep/keep'
    printf '**\n!b.txt\n' >"$FILE.dockerignore"
    tree '-rw-r--r-- 0/0 b.txt'
    dockerfile <<'E'
FROM scratch
COPY a.log /
E
    wrong ".dockerignore"
    # The file is read all the same when it leaves itself out.
    printf '*\n!b.txt\n' >.dockerignore
    printf 'FROM scratch\nCOPY . /\n' >Dockerfile
    caisson build -q -o out .
    [ "$(ls -A out)" = b.txt ]
}

# --- ADD ---

# archives: a tar with a/f of 7:8 in it, in each compression that the machine has.
archives() {
    mkdir -p tree/a
    echo f >tree/a/f
    chmod 640 tree/a/f
    tar --owner=7 --group=8 --sort=name -C tree -cf plain.tar a
    gzip -kc plain.tar >zipped # told by what it contains
    bzip2 -kc plain.tar >bzipped
    xz -kc plain.tar >x.tar.xz
    zstd -qc plain.tar >z.tar.zst
    rm -r tree
}

@test "ADD: unpacks archives by what they contain, and copies what only has such a name" {
    skip_without bzip2 xz zstd
    archives
    echo "no archive" >fake.tar.gz
    echo "BZh91AY&SY is no archive either" >fake.tar.bz2
    dockerfile <<'E'
FROM scratch
ADD plain.tar /plain/
ADD zipped /gz
ADD bzipped fake.tar.bz2 /bz
ADD x.tar.xz /xz/
ADD z.tar.zst fake.tar.gz /more/
ADD --unpack=false plain.tar /kept.tar
ADD --chown=1:2 plain.tar /owned/
E
    build -o "type=tar,dest=$BATS_TEST_TMPDIR/tree.tar"
    same "$(listed "$BATS_TEST_TMPDIR/tree.tar" '[^/]$')" '-rw-r----- 7/8 bz/a/f
-rw-r--r-- 0/0 bz/fake.tar.bz2
-rw-r----- 7/8 gz/a/f
-rw-r--r-- 0/0 kept.tar
-rw-r----- 7/8 more/a/f
-rw-r--r-- 0/0 more/fake.tar.gz
-rw-r----- 1/2 owned/a/f
-rw-r----- 7/8 plain/a/f
-rw-r----- 7/8 xz/a/f'
    tar -xOf "$BATS_TEST_TMPDIR/tree.tar" kept.tar | cmp - plain.tar
    # --unpack is a part of what is cached.
    dockerfile <<'E'
FROM scratch
ADD plain.tar /kept.tar
E
    tree 'drwxr-xr-x 0/0 kept.tar/
drwxr-xr-x 7/8 kept.tar/a/
-rw-r----- 7/8 kept.tar/a/f'
}

@test "ADD: COPY of an archive does not unpack it, and neither does ADD of the directory that it is in" {
    mkdir d
    echo f >f
    tar -cf d/x.tar f
    dockerfile <<'E'
FROM scratch
COPY d/x.tar /copied/
ADD d /added/
ADD f /plain
E
    tree 'drwxr-xr-x 0/0 added/
-rw-r--r-- 0/0 added/x.tar
drwxr-xr-x 0/0 copied/
-rw-r--r-- 0/0 copied/x.tar
-rw-r--r-- 0/0 plain'
}

# --- ENV, ARG, LABEL ---

@test "ENV: all forms, one instruction sees the values before it, and images hand on" {
    dockerfile <<'E'
FROM scratch AS base
ENV A=1 B="two words" C=three\ words
ENV legacy all of the rest
ENV A=2 D=$A
FROM base
ENV E=${A} F=${NONE:-default} G=${A:+yes} H=\$A I='$A'
E
    image_builds t
    # shellcheck disable=SC2016 # as it is written
    same "$(config Env)" '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=2","B=two words","C=three words","legacy=all of the rest","D=1","E=2","F=default","G=yes","H=$A","I=$A"]'
}

@test "ARG: scopes, defaults, several in a line, ENV wins, and what nobody declares is warned of" {
    dockerfile <<'E'
ARG GLOBAL=g UNSEEN=u
FROM scratch AS base
ARG GLOBAL
ARG ONE=1 TWO=${ONE}2
LABEL base=$GLOBAL-$UNSEEN-$ONE-$TWO
FROM base
LABEL inherited=$ONE-$GLOBAL
ENV ONE=env
LABEL env=$ONE
FROM base AS last
ARG ONE=again
LABEL again=$ONE
E
    image_builds t --target last --build-arg GLOBAL=given --build-arg NOBODY=asked
    same "$(config Labels)" '{"base":"given--1-2","again":"again"}'
    said NOBODY
    image_builds t --target 1 --build-arg ONE=x
    same "$(config Labels)" '{"base":"g--x-2","inherited":"x-g","env":"env"}'
    # A variable of ours where no value is given.
    TWO=here image_builds t --target last --build-arg ONE=y --build-arg TWO
    same "$(config Labels)" '{"base":"g--y-here","again":"y"}'
}

@test "ARG: proxies are there without a declaration, in no key and in no history" {
    dockerfile <<'E'
FROM busybox
RUN echo "proxy $http_proxy $HTTPS_PROXY"; echo x >/x
E
    image_builds t --network none --build-arg http_proxy=http://one --build-arg HTTPS_PROXY=http://two
    said "proxy http://one http://two"
    unsaid "declare"
    image_builds t --network none --build-arg http_proxy=http://three
    cached 1
    told=$(caisson history --no-trunc t; config Env)
    [[ $told != *http://* ]]
}

@test "LABEL, expansion: every form that words know" {
    dockerfile <<'E'
FROM scratch
ARG F=a/b/c.tar.gz EMPTY=
LABEL a=${F#*/} b=${F##*/} c=${F%.*} d=${F%%.*} e=${F/b/X} f=${F//a/Y}
LABEL g=${EMPTY:-d} h=${EMPTY-d} i=${EMPTY:+s} j=${EMPTY+s} "k l"="m n" multi="one \
two"
E
    image_builds t --label more=yes --label a=replaced
    same "$(config Labels)" '{"a":"replaced","b":"c.tar.gz","c":"a/b/c.tar","d":"a/b/c","e":"a/X/c.tar.gz","f":"Y/b/c.tYr.gz","g":"d","h":"","i":"","j":"s","k l":"m n","multi":"one two","more":"yes"}'
    dockerfile <<'E'
FROM scratch
LABEL a=${NONE:?must be there}
E
    wrong "must be there"
}

# --- the rest of the configuration ---

@test "WORKDIR: relative to the one before, created, with variables" {
    dockerfile <<'E'
FROM busybox
ENV SUB=c
WORKDIR /a
WORKDIR b
WORKDIR ./$SUB
USER 5
WORKDIR ../d
RUN pwd
E
    image_builds t --network none
    [ "$(config WorkingDir)" = '"/a/b/d"' ]
    said " /a/b/d"
    caisson run --rm t stat -c '%u %a' /a/b/c /a/b/d >stat
    same "$(sort -u stat)" "0 755"
}

@test "USER, VOLUME, EXPOSE, STOPSIGNAL, MAINTAINER" {
    dockerfile <<'E'
FROM busybox
ENV PORT=81
USER nonroot:nogroup
VOLUME /data "/more"
VOLUME ["/json", "/two"]
EXPOSE 80 $PORT/udp 90-92
STOPSIGNAL SIGQUIT
MAINTAINER somebody <s@example.org>
E
    image_builds t
    [ "$(config User)" = '"nonroot:nogroup"' ]
    for volume in data json two; do
        [[ $(config Volumes) = *"\"/$volume\":{}"* ]]
    done
    same "$(config ExposedPorts)" '{"80/tcp":{},"81/udp":{},"90/tcp":{},"91/tcp":{},"92/tcp":{}}'
    [ "$(config StopSignal)" = '"SIGQUIT"' ]
    [ "$(caisson image inspect -f '{{.Author}}' t)" = "somebody <s@example.org>" ]
    dockerfile <<'E'
FROM scratch
STOPSIGNAL SIGNONE
E
    wrong SIGNONE
}

@test "CMD and ENTRYPOINT: both forms, ENTRYPOINT takes away what CMD the base had" {
    dockerfile <<'E'
FROM busybox AS base
CMD echo base
FROM base AS one
ENTRYPOINT ["echo", "hello"]
FROM one AS two
CMD ["world"]
FROM base AS three
SHELL ["/bin/ash", "-x", "-c"]
ENTRYPOINT echo three
FROM busybox AS four
CMD one
CMD two
E
    image_builds t --target base
    [ "$(config Cmd)" = '["/bin/sh","-c","echo base"]' ]
    image_builds t --target one
    [ "$(config Cmd) $(config Entrypoint)" = 'null ["echo","hello"]' ]
    image_builds t --target two
    [ "$(config Cmd) $(config Entrypoint)" = '["world"] ["echo","hello"]' ]
    [ "$(caisson run --rm t)" = "hello world" ]
    image_builds t --target three
    [ "$(config Cmd) $(config Entrypoint)" = 'null ["/bin/ash","-x","-c","echo three"]' ]
    [ "$(config Shell)" = '["/bin/ash","-x","-c"]' ]
    image_builds t --target four
    [ "$(config Cmd)" = '["/bin/sh","-c","two"]' ]
}

@test "HEALTHCHECK: its times, its forms and NONE" {
    dockerfile <<'E'
FROM busybox AS one
HEALTHCHECK --interval=5s --timeout=1m30s --start-period=2s --start-interval=500ms --retries=4 CMD wget -q localhost
FROM one AS two
HEALTHCHECK CMD ["true"]
FROM two AS three
HEALTHCHECK NONE
E
    image_builds t --target one
    same "$(config Healthcheck)" '{"Test":["CMD-SHELL","wget -q localhost"],"Interval":5000000000,"Timeout":90000000000,"StartPeriod":2000000000,"StartInterval":500000000,"Retries":4}'
    image_builds t --target two
    same "$(config Healthcheck)" '{"Test":["CMD","true"]}'
    image_builds t --target three
    same "$(config Healthcheck)" '{"Test":["NONE"]}'
}

@test "ONBUILD: carried out by who builds on it, and by nobody after that" {
    dockerfile <<'E'
FROM busybox
ONBUILD COPY file /copied
ONBUILD RUN cat /copied >/ran
ONBUILD ENV WHEN=later
E
    image_builds parent
    [ "$(config OnBuild parent)" = '["COPY file /copied","RUN cat /copied >/ran","ENV WHEN=later"]' ]
    echo child >file
    dockerfile <<'E'
FROM parent
RUN echo $WHEN >>/ran
E
    image_builds t --network none
    [ "$(caisson run --rm t cat /ran)" = $'child\nlater' ]
    [ "$(config OnBuild)" = null ]
    dockerfile <<'E'
FROM t
RUN rm /copied
E
    image_builds t2 --network none
    dockerfile <<'E'
FROM scratch
ONBUILD ONBUILD RUN x
E
    wrong ONBUILD
}

@test "ONBUILD: --from of a stage that comes before, and here-documents" {
    dockerfile <<'E'
FROM busybox
ONBUILD COPY --from=made /f /f
ONBUILD RUN <<EOF
cat /f >/g
echo more >>/g
EOF
E
    image_builds parent
    # Nothing says that the stage is needed until the base image is read.
    dockerfile <<'E'
FROM busybox AS before
RUN echo f >/before
FROM before AS made
RUN cp /before /f
FROM parent
E
    files out --network none
    [ "$(cat out/g)" = $'f\nmore' ]
}

@test "directives: another escape, a syntax that is never fetched, checks that are left out" {
    dockerfile <<'E'
# syntax=docker.example.org/none:latest
# escape=`
# check=skip=all
FROM busybox
RUN echo one `
    two >/x
LABEL path=C:\dir
E
    image_builds t --network none
    [ "$(config Labels)" = '{"path":"C:\\dir"}' ]
    unsaid UnpinnedBase
    [ "$(caisson run --rm t cat /x)" = "one two" ]
    printf '# check=error=true\nFROM scratch\nMAINTAINER x\n' | dockerfile
    wrong Maintainer
}

# --- options ---

@test "-f -, a Dockerfile from standard input, and - for no context at all" {
    echo a >a
    printf 'FROM scratch\nCOPY a /\n' | caisson build -q -f - -o one .
    [ "$(ls one)" = a ]
    printf 'FROM busybox\nRUN echo x >/x\n' | caisson build -q --network none -t t - >id
    [ "$(cat id)" = "$(caisson images -q --no-trunc t)" ]
    printf 'FROM scratch\nCOPY a /\n' >"$FILE"
    no_context() { caisson build - <"$FILE"; }
    fails 1 "no build context" no_context
    fails 1 "both want standard input" caisson build -f - - </dev/null
}

@test "-f names a file elsewhere, and Containerfile stands in for Dockerfile" {
    mkdir -p docker other
    printf 'FROM scratch\nCOPY a /one\n' >docker/File
    echo a >a
    caisson build -q -f docker/File -o out .
    [ -e out/one ]
    printf 'FROM scratch\nCOPY f /two\n' >other/Containerfile
    echo f >other/f
    caisson build -q -o out2 other
    [ -e out2/two ]
    fails 1 "there is no Dockerfile" caisson build docker
    fails 1 "cannot open" caisson build -f missing .
}

@test "-t several, --iidfile, --metadata-file, -q, --annotation" {
    skip_without python3
    printf 'FROM scratch\nLABEL a=b\n' | dockerfile
    id=$(caisson build -q -t one -t two:x --iidfile iid --metadata-file meta -f "$FILE" \
        --annotation org.example.a=b . 2>err)
    [ ! -s err ]
    [[ $id =~ ^sha256:[0-9a-f]{64}$ ]]
    [ "$(cat iid)" = "$id" ]
    for name in one two:x; do
        [ "$(caisson images -q --no-trunc "$name")" = "$id" ]
    done
    python3 - "$id" <<'E'
import json, sys
told = json.load(open("meta"))
assert told["containerimage.config.digest"] == sys.argv[1], told
assert "one" in told["image.name"] and "two:x" in told["image.name"], told
assert told["containerimage.digest"].startswith("sha256:"), told
E
    caisson save --format oci-archive -o a.tar one
    tar -xf a.tar --wildcards 'blobs/*'
    grep -rq 'org.example.a' blobs
    fails 1 "" caisson build -t 'Not A Name' -f "$FILE" .
}

@test "-o: a directory, a tar on standard output, an OCI and a docker archive, and no image of the first two" {
    echo a >a
    printf 'FROM scratch\nCOPY a /a\n' | dockerfile
    before=$(caisson images -aq | wc -l)
    build -o type=local,dest=dir
    [ "$(cat dir/a)" = a ]
    caisson build -f "$FILE" -o - . 2>/dev/null | tar -t | grep -x a
    [ "$(caisson images -aq | wc -l)" = "$before" ]
    for type in oci docker; do
        build -o "type=$type,dest=$type.tar" -t "named-$type"
        caisson rmi -f "named-$type" >/dev/null
        caisson load -i "$type.tar" | grep -q "named-$type"
    done
    fails 1 "type=nothing" caisson build -f "$FILE" -o type=nothing .
}

@test "--target, --build-context: directories and images stand in for stages and images" {
    mkdir elsewhere
    echo other >elsewhere/f
    dockerfile <<'E'
FROM alpine AS base
FROM base AS one
COPY --from=other f /f
E
    build --build-context other=elsewhere --build-context alpine=docker-image://busybox \
        --target one -o out
    [ "$(cat out/f)" = other ]
    [ -e out/bin/busybox ]
    wrong "three" --target three --build-context other=elsewhere
}

@test "--build-context: an OCI layout stands in for an image, and no name of ours moves" {
    skip_without tar
    printf 'FROM busybox\nLABEL is=layout\n' | dockerfile
    build -o "type=oci,dest=../layout.tar" -t other
    mkdir ../layout
    tar -xf ../layout.tar -C ../layout
    caisson tag busybox other
    mine=$(caisson image inspect -f '{{.Id}}' other)
    printf 'FROM alpine\nCOPY --from=alpine /bin/busybox /copied\n' | dockerfile
    image_builds laid --build-context "alpine=oci-layout://$(realpath ../layout)"
    [ "$(caisson image inspect -f '{{.Config.Labels.is}}' laid)" = layout ]
    [ "$(caisson image inspect -f '{{.Id}}' other)" = "$mine" ]
    wrong "--build-context alpine" --build-context alpine=oci-layout:///nowhere
    wrong "none of a directory" --build-context alpine=ftp://example.org/x
    rm ../layout/index.json
    wrong "--build-context alpine" --build-context "alpine=oci-layout://$(realpath ../layout)"
    caisson rmi other >/dev/null
}

@test "--build-context: a directory takes the place of a stage that has its name" {
    mkdir stands
    echo stands >stands/x
    dockerfile <<'E'
FROM busybox AS built
RUN exit 1
FROM scratch
COPY --from=built x /x
E
    build --build-context built=stands -o out
    [ "$(cat out/x)" = stands ]
    unsaid "exit 1"
    # Its own .dockerignore holds for it.
    echo x >stands/.dockerignore
    wrong ".dockerignore" --build-context built=stands
}

@test "--check and --call: what is found, and exit codes" {
    printf 'FROM scratch\nCOPY nothing /\nUSER 1\n' | dockerfile
    caisson build --check -f "$FILE" .
    printf 'FROM busybox AS b\nMAINTAINER me\n' | dockerfile
    rc=0
    caisson build --check -f "$FILE" . >../told.check 2>&1 || rc=$?
    [ "$rc" = 1 ]
    grep -q MaintainerDeprecated ../told.check
    rc=0
    caisson build --call check -f "$FILE" . >../told.check 2>&1 || rc=$?
    [ "$rc" = 1 ]
    printf 'ARG GLOBAL=1\nFROM busybox AS b\nARG X=5\nFROM b AS final\nARG GLOBAL\nRUN --mount=type=secret,id=my-secret true\n' | dockerfile
    caisson build --call targets -f "$FILE" . >../told.targets
    grep -q '^b' ../told.targets
    grep -q '^final' ../told.targets
    caisson build --call outline -f "$FILE" . >../told.outline
    grep -q GLOBAL ../told.outline
    grep -q my-secret ../told.outline
}

@test "--progress: plain, JSON that is JSON, quiet, which still shows why it failed" {
    skip_without python3
    printf 'FROM busybox\nRUN echo "a line"\n' | dockerfile
    build --network none --no-cache
    said "a line"
    caisson build --progress json --network none --no-cache -f "$FILE" . 2>../told.json
    python3 - <<'E'
import json
lines = [json.loads(line) for line in open("../told.json") if line.startswith("{")]
assert lines and any("a line" in json.dumps(line) for line in lines), lines
E
    caisson build --progress quiet --network none --no-cache -f "$FILE" . >out 2>../told.quiet
    [ ! -s ../told.quiet ]
    printf 'FROM busybox\nRUN echo "why"; exit 3\n' | dockerfile
    fails 1 "exit code 3" caisson build -q --network none -f "$FILE" .
    fails 1 "why" caisson build -q --network none -f "$FILE" .
}

@test "COPY: stages that take the same of another tree at the same time" {
    for i in $(seq 12); do
        printf 'FROM scratch AS s%s\nCOPY --from=busybox /etc/passwd /\n' "$i"
    done >../stages
    (
        cat ../stages
        echo "FROM scratch"
        for i in $(seq 12); do echo "COPY --from=s$i /passwd /$i"; done
    ) | dockerfile
    for i in 1 2 3 4 5; do
        build --no-cache --network none
    done
}

@test "an image whose layer hides all below: the same files for FROM, --from, a mount and an output" {
    python3 - "$BATS_TEST_TMPDIR/hiding.tar" "$(caisson image inspect -f '{{.Architecture}}' busybox)" <<'E'
import hashlib, io, json, tarfile, sys
def pack(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
layers = {"1.tar": pack({"below": b"1"}), "2.tar": pack({".wh..wh..opq": b"", "above": b"2"})}
config = {"architecture": sys.argv[2], "os": "linux", "rootfs": {"type": "layers",
    "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers.values()]}}
manifest = [{"Config": "config.json", "RepoTags": ["hiding:1"], "Layers": list(layers)}]
open(sys.argv[1], "wb").write(pack({"config.json": json.dumps(config).encode(),
    "manifest.json": json.dumps(manifest).encode(), **layers}))
E
    caisson load -q -i "$BATS_TEST_TMPDIR/hiding.tar" >/dev/null
    dockerfile <<'E'
FROM busybox AS mounted
RUN --mount=from=hiding:1,target=/m ls /m >/seen
FROM hiding:1 AS based
FROM scratch
COPY --from=hiding:1 / /image/
COPY --from=based / /stage/
COPY --from=mounted /seen /
E
    tree 'drwxr-xr-x 0/0 image/
-rw-r--r-- 0/0 image/above
-rw-r--r-- 0/0 seen
drwxr-xr-x 0/0 stage/
-rw-r--r-- 0/0 stage/above' --network none
    holds seen above
    files based --target based
    same "$(ls based)" above
}

@test "--no-cache and --no-cache-filter carry out again" {
    dockerfile <<'E'
FROM busybox AS one
RUN echo one
FROM one AS two
RUN echo two
E
    build --network none
    build --network none
    cached 2
    build --network none --no-cache
    carried 2
    build --network none --no-cache-filter TWO
    cached 1
    carried 1
}
