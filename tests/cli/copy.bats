#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cp, diff and export: files between containers and the host.
load ../lib/common

setup_file() {
    common_setup_file
    image
}
teardown_file() { common_teardown_file; }

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# container NAME [OPTION...]: one that runs, with a root to write to, until its end.
container() {
    local name=$1
    shift
    caisson rm -f "$name" >/dev/null 2>&1 || true
    caisson run -d --name "$name" --level baseline "$@" busybox sleep 1000 >/dev/null
}

inside() {
    local name=$1
    shift
    caisson exec "$name" "$@"
}

# lacks GREP-ARGUMENT...: nothing matches. (A bare "! grep" never fails a test.)
lacks() {
    ! grep -q "$@" || false
}

# What can be copied, below $1 of the host or as words for a container's shell.
SOURCES='mkdir -p src/dir dst/there; echo file >src/file; echo inner >src/dir/inner; ln -s file src/link; ln -s dir src/dirlink; echo old >dst/existing'

# SOURCE DEST RESULT [OPTION]: RESULT is "TYPE PATH", or ! and a part of the error.
RULES='
src/file|dst/new|f dst/new|
src/file|dst/new/|!does not exist|
src/file|dst/existing|f dst/existing|
src/file|dst/existing/|!ot a directory|
src/file|dst/there|f dst/there/file|
src/file|dst/there/|f dst/there/file|
src/file|dst/there/.|f dst/there/file|
src/file|dst/nowhere/new|!does not exist|
src/file/|dst/new|!ot a directory|
src/file/.|dst/new|!ot a directory|
src/dir|dst/new|f dst/new/inner|
src/dir|dst/new/|f dst/new/inner|
src/dir|dst/existing|!cannot copy a directory over|
src/dir|dst/there|f dst/there/dir/inner|
src/dir/|dst/there|f dst/there/dir/inner|
src/dir/.|dst/there|f dst/there/inner|
src/dir/.|dst/new|f dst/new/inner|
src/dir|dst/nowhere/new|!does not exist|
src/link|dst/new|L dst/new|
src/link|dst/new|f dst/new|-L
src/link|dst/there|L dst/there/link|
src/link|dst/there|f dst/there/link|-L
src/link|dst/existing|L dst/existing|
src/dirlink|dst/there|L dst/there/dirlink|
src/dirlink/|dst/there|f dst/there/dirlink/inner|
src/dirlink/.|dst/there|f dst/there/inner|
src/dirlink|dst/there|f dst/there/dirlink/inner|-L
src/missing|dst/new|!no|
'

# each_rule FUNCTION: with the four words of each line.
each_rule() {
    local source dest result option
    while IFS='|' read -r source dest result option; do
        [ -n "$source" ] || continue
        if ! "$1" "$source" "$dest" "$result" "$option"; then
            echo "rule: $source to $dest $option: expected $result"
            return 1
        fi
    done <<<"$RULES"
}

rule_out() {
    rm -rf dst && mkdir -p dst/there && echo old >dst/existing
    # shellcheck disable=SC2086 # none or one option
    if [[ $3 = !* ]]; then
        fails 1 "${3#!}" caisson cp $4 "rules:/place/$1" "$2" && [ "$(cat dst/existing)" = old ]
    else
        caisson cp $4 "rules:/place/$1" "$2" && test "-${3%% *}" "${3#* }" && [ ! -e dst/there/src ]
    fi
}

@test "out of a container, SOURCE and DEST mean what they mean to docker cp" {
    container rules
    inside rules sh -c "mkdir /place; cd /place; $SOURCES"
    each_rule rule_out
}

rule_in() {
    inside rules sh -c 'rm -rf /place/dst && mkdir -p /place/dst/there && echo old >/place/dst/existing'
    # shellcheck disable=SC2086
    if [[ $3 = !* ]]; then
        fails 1 "${3#!}" caisson cp $4 "$1" "rules:/place/$2" &&
            [ "$(inside rules cat /place/dst/existing)" = old ]
    else
        caisson cp $4 "$1" "rules:/place/$2" && inside rules test "-${3%% *}" "/place/${3#* }"
    fi
}

@test "into a container, they mean the same" {
    container rules
    eval "$SOURCES"
    inside rules mkdir /place
    each_rule rule_in
}

@test "modes and times stay, what comes out belongs to whoever runs the command" {
    container meta
    inside meta sh -c 'mkdir /d; echo x >/d/f; chown 1234:1235 /d/f; chmod 640 /d/f; chmod 750 /d; touch -d "2001-02-03 04:05:06" /d/f /d'
    caisson cp meta:/d d
    [ "$(stat -c '%a %u %g' d/f)" = "640 $(id -u) $(id -g)" ]
    [ "$(stat -c '%a %Y' d)" = "750 $(inside meta stat -c %Y /d)" ]
    [ "$(stat -c %Y d/f)" = "$(inside meta stat -c %Y /d/f)" ]
}

@test "what goes in belongs to the container's root; -a keeps the ids" {
    container meta
    mkdir d
    echo x >d/f
    chmod 604 d/f
    touch -d "2001-02-03 04:05:06" d/f
    caisson cp d meta:/in
    [ "$(inside meta stat -c '%a %u %g %Y' /in/f)" = "604 0 0 $(stat -c %Y d/f)" ]
    skip_unless_root
    chown 1234:1235 d/f
    caisson cp -a d meta:/kept
    [ "$(inside meta stat -c '%u %g' /kept/f)" = "1234 1235" ]
    caisson cp -a meta:/kept back
    [ "$(stat -c '%u %g' back/f)" = "1234 1235" ]
}

@test "setuid and setgid bits stay in the container" {
    container bits
    inside bits sh -c 'mkdir /d; echo x >/d/f; chmod 6755 /d/f; chmod 2755 /d'
    caisson cp -a bits:/d d
    [ "$(stat -c %a d/f) $(stat -c %a d)" = "755 755" ]
    # Control: they are in the tar, and go in.
    [[ $(caisson cp bits:/d - | tar -tv) = *rwsr-sr-x* ]]
    chmod 4711 d/f
    caisson cp d/f bits:/in
    [ "$(inside bits stat -c %a /in)" = 4711 ]
}

# What lends the rights of its owner, as a tar on standard output.
lending_tar() {
    python3 - "$1" <<'END'
import io, sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
    for name, kind, mode in (("f", tarfile.REGTYPE, 0o6755), ("d", tarfile.DIRTYPE, 0o3777),
                             ("l", tarfile.SYMTYPE, 0o777), ("p", tarfile.FIFOTYPE, 0o600)):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.linkname = kind, mode, "f" if name == "l" else ""
        entry.uid = entry.gid = int(sys.argv[1])
        if kind == tarfile.REGTYPE:
            capability = "\x01\0\0\x02\0\x04\0\0" + 12 * "\0"
            entry.pax_headers = {"SCHILY.xattr.security.capability": capability}
        tar.addfile(entry, io.BytesIO())
END
}

@test "nothing that lends rights goes into a bind mount, where the host would honour it" {
    mkdir bind
    echo x >setuid
    chmod 6755 setuid
    caisson run -d --name lending --tmpfs /scratch -v "$PWD/bind:/bind" busybox sleep 1000 >/dev/null
    for state in running stopped; do
        rm -rf bind/*
        lending_tar 65532 | caisson cp - lending:/bind
        caisson cp setuid lending:/bind/
        [ "$(stat -c %a bind/f bind/d bind/setuid | xargs)" = "755 1777 755" ]
        [ "$(stat -c %u bind/f bind/d bind/l bind/p | uniq)" = "$(own_id)" ]
        python3 -c 'import os; assert os.listxattr("bind/f") == []'
        [ "$state" = stopped ] || caisson stop -t 0 lending
    done
    # Control: in a container without a bind mount they are brought.
    container lender
    inside lender mkdir /d
    lending_tar 0 | caisson cp - lender:/d
    [ "$(inside lender stat -c %a /d/f /d/d | xargs)" = "6755 3777" ]
}

@test "a directory that was there keeps its mode, one that is made gets the source's" {
    container merge
    inside merge sh -c 'mkdir -m 711 /there; echo old >/there/keep'
    mkdir -m 700 d d/sub
    caisson cp d/. merge:/there
    [ "$(inside merge stat -c %a /there /there/sub | xargs)" = "711 700" ]
    [ "$(inside merge cat /there/keep)" = old ]
}

@test "a file never takes the place of a directory, nor a directory that of a file" {
    container kinds
    inside kinds sh -c 'mkdir -p /d/a; echo b >/d/b'
    mkdir -p d/b
    echo a >d/a
    fails 1 "in the place of a directory" caisson cp d/. kinds:/d
    rm d/a
    fails 1 "in the place of something else" caisson cp d/. kinds:/d
    [ "$(inside kinds cat /d/b)" = b ]
}

@test "volumes, bind mounts and tmpfs of a running container are at their places" {
    mkdir bind
    container places -v /volume -v "$PWD/bind:/bind" --tmpfs /scratch
    echo new >f
    for place in volume bind scratch; do
        caisson cp f "places:/$place/f"
        [ "$(inside places cat "/$place/f")" = new ]
        caisson cp "places:/$place/f" "from-$place"
        cmp f "from-$place"
    done
    cmp f bind/f
    [ "$(stat -c %u bind/f)" = "$(own_id)" ]
    # Of a stopped one what is on disk.
    caisson stop -t 0 places
    for place in volume bind; do
        caisson cp "places:/$place/f" "again-$place"
        cmp f "again-$place"
        caisson cp f "places:/$place/g"
    done
    cmp f bind/g
    fails 1 "has content only while the container runs" caisson cp f places:/scratch/f
    caisson start places
    [ "$(inside places cat /volume/g)" = new ]
}

@test "a container that never started can be copied to and from" {
    caisson create --name unborn --level baseline busybox cat /greeting >/dev/null
    echo hello >greeting
    caisson cp greeting unborn:/greeting
    caisson cp unborn:/greeting back
    cmp greeting back
    [ "$(caisson start -a unborn)" = hello ]
    # Also one that will be gone when it ends. Seen to fail: made volatile, its writable layer cannot
    # be mounted again.
    caisson create --rm --name brief --level baseline busybox cat /greeting >/dev/null
    caisson cp greeting brief:/greeting
    [ "$(caisson start -a brief)" = hello ]
}

@test "a container without a user namespace can be copied to and from" {
    skip_unless_root
    caisson run -d --name open --level privileged busybox sleep 1000 >/dev/null
    echo x >f
    for state in running stopped; do
        caisson cp f open:/f
        caisson cp open:/f "$state"
        cmp f "$state"
        fails 1 "a device cannot be copied" timeout 10 caisson cp open:/dev/null null
        tar -c f | caisson cp - open:/tmp
        [ "$state" = stopped ] || caisson stop -t 0 open
    done
    caisson export open | tar -t f >/dev/null
    caisson commit open >/dev/null
}

@test "a paused container can be copied to and from" {
    skip_without_groups
    container still
    caisson pause still
    echo x >f
    caisson cp f still:/f
    caisson cp still:/f g
    caisson unpause still
    cmp f g
}

@test "restricted containers: into /tmp and binds, not into a read-only root" {
    mkdir bind
    caisson run -d --name strict -v "$PWD/bind:/bind" busybox sleep 1000 >/dev/null
    echo x >f
    fails 1 "read-only in the container" caisson cp f strict:/etc/f
    caisson cp f strict:/tmp/f
    [ "$(inside strict cat /tmp/f)" = x ]
    [ "$(inside strict stat -c '%u %g' /tmp/f)" = "65532 65532" ]
    caisson cp f strict:/bind/f
    [ "$(inside strict cat /bind/f)" = x ]
    [ "$(stat -c %u bind/f)" = "$(own_id)" ]
    caisson cp strict:/etc/passwd passwd
    grep -q nonroot passwd
    caisson stop -t 0 strict
    fails 1 "read-only in the container" caisson cp f strict:/etc/f
    caisson cp strict:/bin/busybox bb
    cmp bb /bin/busybox
}

@test "a file that is mounted gets its content, not a place of its own" {
    echo old >bound
    container mounted -v "$PWD/bound:/etc/bound"
    echo new >f
    caisson cp f mounted:/etc/bound
    [ "$(cat bound)" = new ]
}

@test "- is a tar: out with the name of the source, in with the owners that it names" {
    container tars
    inside tars sh -c 'mkdir -p /a/d; echo x >/a/d/f; chown 7:8 /a/d/f; ln /a/d/f /a/d/g; ln -s f /a/d/l'
    caisson cp tars:/a/d - >d.tar
    [ "$(tar -tf d.tar | xargs)" = "d/ d/f d/g d/l" ]
    inside tars mkdir /b
    caisson cp - tars:/b <d.tar
    [ "$(inside tars stat -c '%u %g %h' /b/d/f)" = "7 8 2" ]
    for compress in gzip bzip2 xz; do
        inside tars rm -rf /b/d
        $compress -c d.tar | caisson cp - tars:/b
        [ "$(inside tars cat /b/d/f)" = x ]
    done
    fails 1 "is not a directory" caisson cp - tars:/b/d/f <d.tar
    fails 1 "" caisson cp - tars:/b <<<"this is no tar at all"
}

@test "two containers, or none, are refused with what to do" {
    fails 1 "| caisson cp - two:/x" caisson cp one:/x two:/x
    fails 1 "CONTAINER:PATH" caisson cp /etc/passwd ./x
    fails 1 "no such container" caisson cp nobody:/x .
    fails 1 "" caisson cp ./with:colon ./x
}

@test "holes stay holes, and a file of a terabyte that is nothing else is quick" {
    container holes
    inside holes sh -c 'echo begin >/f; dd if=/dev/zero of=/f bs=1 count=1 seek=1099511627776 conv=notrunc 2>/dev/null; echo middle | dd of=/f bs=1 seek=1073741824 conv=notrunc 2>/dev/null'
    timeout 20 caisson cp holes:/f f
    [ "$(stat -c %s f)" = 1099511627777 ]
    [ "$(stat -c %b f)" -lt 1000 ]
    [ "$(dd if=f bs=1 skip=1073741824 count=6 2>/dev/null)" = middle ]
    timeout 20 caisson cp f holes:/g
    [ "$(inside holes sh -c 'stat -c %s /g; dd if=/g bs=1 skip=1073741824 count=6 2>/dev/null')" = $'1099511627777\nmiddle' ]
}

@test "pipes are copied as pipes, devices and sockets are left out and counted" {
    container odd
    inside odd sh -c 'mkdir /d; mkfifo /d/pipe; echo x >/d/f'
    timeout 10 caisson cp odd:/d d
    [ -p d/pipe ]
    [ "$(cat d/f)" = x ]
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("d/socket")'
    said=$(timeout 10 caisson cp d odd:/e 2>&1)
    [[ $said = *"1 devices or sockets were not copied"* ]]
    inside odd test -p /e/pipe
    fails 1 "a device cannot be copied" timeout 10 caisson cp odd:/dev/zero z
    fails 1 "a device cannot be copied" timeout 10 caisson cp /dev/zero odd:/z
}

@test "of /proc single files can be copied, its directories not" {
    container kernel
    timeout 10 caisson cp kernel:/proc/version v
    cmp v /proc/version
    fails 1 "the kernel's own" timeout 10 caisson cp kernel:/proc p
    fails 1 "the kernel's own" timeout 10 caisson cp kernel:/sys/class s
    # All of the root has them, empty.
    timeout 20 caisson cp kernel:/ all
    [ -d all/proc ]
    [ -z "$(ls all/proc)" ]
    [ -x all/bin/busybox ]
}

@test "trees too deep to be copied are refused, and copying others goes on" {
    container deep
    # shellcheck disable=SC2016 # the container's shell expands it
    inside deep sh -c 'cd /tmp; i=0; while [ $i -lt 450 ]; do mkdir d; cd d; i=$((i+1)); done'
    fails 1 "nested more than" caisson cp deep:/tmp t
    fails 1 "nested more than" caisson export -o e.tar deep
    [ ! -e e.tar ]
}

@test "a copy that is interrupted gives back what it took" {
    skip_without flock pgrep
    id=$(caisson create --name waiting --level baseline busybox true)
    mkfifo tar
    caisson cp - waiting:/tmp <tar &
    copying=$!
    exec 9>tar
    waits 5 sh -c "! flock -n '$CAISSON_STATE/containers/$id' true"
    waits 5 sh -c "pgrep -P $copying"
    kill "$copying"
    rc=0
    wait "$copying" || rc=$?
    exec 9>&-
    [ "$rc" != 0 ]
    [ -z "$(find "$CAISSON_STATE/ids" -lname "$id" 2>/dev/null)" ]
    timeout 10 caisson start -a waiting
}

@test "diff tells what was added, changed and deleted, and nothing of mounts" {
    container changes -v /volume --tmpfs /scratch
    inside changes sh -c 'echo x >/etc/new; rm /bin/ls; mkdir /d; echo y >/d/f; echo z >/volume/f; echo z >/scratch/f; echo >>/etc/hosts; chmod 700 /root'
    expected=$'C /bin\nD /bin/ls\nA /d\nA /d/f\nC /etc\nA /etc/new\nC /root'
    [ "$(caisson diff changes)" = "$expected" ]
    [ "$(caisson diff --format json changes)" = '{"changed":["/bin","/etc","/root"],"added":["/d","/d/f","/etc/new"],"deleted":["/bin/ls"]}' ]
    caisson stop -t 0 changes
    [ "$(caisson diff changes)" = "$expected" ]
    caisson create --name untouched busybox true >/dev/null
    [ -z "$(caisson diff untouched)" ]
}

@test "diff shows names that a terminal would obey as text" {
    container names
    # shellcheck disable=SC2016 # the container's shell expands it
    inside names sh -c 'touch "/$(printf "a\033[2Jb\nA forged")"'
    [ "$(caisson diff names)" = 'A /a\x1b[2Jb\x0aA forged' ]
}

@test "export is the same tar twice, running or not, and import takes it" {
    mkdir bind
    echo secret >bind/s
    container whole -v /volume -v "$PWD/bind:/bind" --tmpfs /scratch
    inside whole sh -c 'echo x >/etc/new; chown 5:6 /etc/new; rm /bin/ls; echo z >/volume/f; echo z >/scratch/f'
    caisson export -o one.tar whole
    caisson export whole >two.tar
    cmp one.tar two.tar
    caisson stop -t 0 whole
    caisson export -o three.tar whole
    cmp one.tar three.tar
    names=$(tar -tf one.tar)
    for absent in bin/ls volume/f scratch/f bind/s proc/version dev/null; do
        lacks -x "$absent" <<<"$names"
    done
    [[ $(tar --numeric-owner -tvf one.tar etc/new) = *" 5/6 "* ]]
    [ -z "$(tar -xOf one.tar etc/hosts)" ]
    caisson import one.tar whole:flat >/dev/null
    [ "$(caisson run --rm whole:flat busybox cat /etc/new)" = x ]
}

@test "events tell of copies, exports and commits" {
    container told
    caisson cp told:/etc/passwd p
    caisson cp p told:/p
    caisson export told >/dev/null
    caisson commit -q told >/dev/null
    events=$(caisson events --since 1h --until 0s --filter container=told --format '{{.Action}}')
    for event in archive-path extract-to-dir export commit; do
        grep -qx -- "$event" <<<"$events"
    done
}

@test "export is not written to a terminal" {
    skip_without script
    container tty
    said=$(script -qec "caisson export tty" /dev/null) && false
    [[ $said = *"give a file with -o"* ]]
}
