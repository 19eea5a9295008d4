#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: what a step of RUN finds around it, and what it may not keep.
# shellcheck disable=SC2016 # the steps' shells expand it
load ../lib/common
load ../lib/build

setup_file() {
    common_setup_file
    image
}
setup() { build_begin; }
teardown_file() { common_teardown_file; }

# step LINE...: a Dockerfile of busybox with these lines.
step() {
    printf 'FROM busybox\n' >"$FILE"
    printf '%s\n' "$@" >>"$FILE"
}

# told: what steps of the last build have printed, without times.
told() { sed -nE 's/^#[0-9]+ [0-9]+\.[0-9]s //p' "$SAID"; }

# --- the container ---

@test "root of a step is nobody on the host, with the usual rights and the usual filter" {
    step 'RUN echo "$(id -u) $(cat /proc/self/uid_map)"; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status'
    build --network none
    [ "$(told | awk 'NR == 1 {print $1, $2}')" = "0 0" ]
    [ "$(id -u)" != 0 ] || [ "$(told | awk 'NR == 1 {print $3}')" -ge 65536 ]
    told | grep -qP '^NoNewPrivs:\t0$'
    told | grep -qP '^Seccomp:\t2$'
    # chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw
    # sys_chroot mknod audit_write setfcap
    told | grep -qP '^CapEff:\t00000000a80425fb$'
}

@test "what belongs to the kernel and to the host is masked, and nothing of ours is open" {
    step 'RUN cat /proc/kcore 2>/dev/null | head -c 1 | wc -c; ls -A /proc/acpi; ls -A /sys/firmware; mount -t tmpfs x /tmp 2>&1; ls -l /proc/self/fd | wc -l; echo x >/proc/sys/kernel/core_pattern'
    wrong "exit code 1"
    build --network none || true
    [ "$(told | head -1)" = 0 ]
    told | grep -qi "denied\|not permitted"
    # total, 0, 1, 2, and the directory that ls reads
    told | grep -qx 5
}

@test "networks: none has nothing but lo, host is only for who may" {
    step 'RUN --network=none ls /sys/class/net; cat /proc/net/route | wc -l'
    build
    [ "$(told)" = $'lo\n1' ]
    step 'RUN --network=host ls /sys/class/net'
    wrong "--allow network.host"
    build --allow network.host
    step 'RUN ls /sys/class/net'
    build --network none --no-cache
    [ "$(told)" = lo ]
    wrong "--allow" --allow everything
}

@test "security=insecure is only for who may, and then has all rights" {
    step 'RUN --security=insecure --network=none grep -E "^(CapEff|Seccomp):" /proc/self/status'
    wrong "--allow security.insecure"
    build --allow security.insecure
    told | grep -qP '^Seccomp:\t0$'
    said CapEff
    step 'RUN --network=none grep Seccomp: /proc/self/status'
    build --allow security.insecure
    told | grep -qP '^Seccomp:\t2$'
}

@test "limits of memory and of each process are in force" {
    step 'RUN ulimit -n; ulimit -c; df -k /dev/shm | tail -1 | tr -s " " | cut -d " " -f 2'
    build --network none --ulimit nofile=77:99 --ulimit core=0 --shm-size 1m
    [ "$(told)" = $'77\n0\n1024' ]
    if ! has_groups; then
        fails 1 "--memory cannot be enforced" \
            caisson build --network none -m 64m -f "$FILE" --no-cache .
        fails 1 "--cpus cannot be enforced" caisson build --network none --cpus 1 -f "$FILE" --no-cache .
        nothing_staged
    fi
    skip_without_groups
    step 'RUN --network=none head -c 200m /dev/zero | tail | wc -c; echo survived'
    build -m 1g
    said survived
    step 'RUN --network=none x=$(head -c 200000000 /dev/zero | tr "\0" x); echo survived'
    build -m 1g
    wrong "exit code" -m 32m --no-cache
}

@test "names of hosts are added, the host's name is the same everywhere" {
    step 'RUN grep my-host /etc/hosts; hostname'
    build --network none --add-host my-host:192.0.2.7
    told | grep -q '^192.0.2.7'
    [ "$(told | tail -1)" = build ]
    build --network none --add-host my-host:192.0.2.7 -o out
    [ ! -s out/etc/hosts ]
}

@test "a command that fails is told with its code, its place and what it printed" {
    step 'RUN echo before; exit 42'
    wrong "exit code 42" --network none
    wrong "Dockerfile:2" --network none
    wrong "before" --network none
    step 'RUN sleep 9 & kill -9 $!; wait $!'
    wrong "137" --network none
    step 'RUN ["/no/such/program"]'
    wrong "/no/such/program" --network none
}

@test "output of stages that run side by side stays in whole lines, each with its number" {
    dockerfile <<'E'
FROM busybox AS one
RUN for i in $(seq 200); do echo "one one one one $i"; done
FROM busybox AS two
RUN for i in $(seq 200); do echo "two two two two $i"; done
FROM busybox
COPY --from=one /etc/passwd /1
COPY --from=two /etc/passwd /2
E
    build --network none
    [ "$(told | grep -cx 'one one one one [0-9]*')" = 200 ]
    [ "$(told | grep -cx 'two two two two [0-9]*')" = 200 ]
    # Every line has the number of its own stage.
    [ "$(grep -E 'one one' "$SAID" | grep -v RUN | cut -d ' ' -f 1 | sort -u | wc -l)" = 1 ]
}

@test "output without end is cut off, and of a step that fails the end is shown all the same" {
    step 'RUN i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo "line $i of those that fill the log of this step"; done; echo the end'
    build --network none
    [ "$(wc -c <"$SAID")" -lt 4500000 ]
    said "[output of this step beyond 2 MiB is left out: CAISSON_STEP_LOG=-1 shows all of it]"
    [ "$(grep -c "beyond 2 MiB" "$SAID")" = 1 ]
    said "line 1 of"
    ! told | grep -x "the end" || false
    CAISSON_STEP_LOG=-1 build --network none --no-cache
    said "line 60000 of"
    told | grep -x "the end"
    step 'RUN seq 1000; exit 3'
    CAISSON_STEP_LOG=100 wrong "exit code 3" --network none
    CAISSON_STEP_LOG=100 build --network none || true
    same "$(told | tail -n 22 | head -n 3)" "[output of this step beyond 100 bytes is left out: CAISSON_STEP_LOG=-1 shows all of it]
[the last lines of what is left out]
981"
    same "$(told | tail -n 1)" 1000
    # Each step has its own.
    step 'RUN seq 20' 'RUN seq 21'
    CAISSON_STEP_LOG=52 build --network none
    [ "$(told | grep -c "left out")" = 1 ]
    CAISSON_STEP_LOG=0 build --network none --no-cache
    [ "$(told | grep -c "left out")" = 2 ]
    CAISSON_STEP_LOG=some wrong "CAISSON_STEP_LOG=some: write a number of bytes" --network none
}

@test "stages that do not need each other run at the same time" {
    dockerfile <<'E'
FROM busybox AS one
RUN --mount=type=cache,id=meet,target=/m touch /m/one; i=0; while [ ! -e /m/two ]; do i=$((i+1)); [ $i -lt 100 ]; sleep 0.1; done
FROM busybox AS two
RUN --mount=type=cache,id=meet,target=/m touch /m/two; i=0; while [ ! -e /m/one ]; do i=$((i+1)); [ $i -lt 100 ]; sleep 0.1; done
FROM scratch
COPY --from=one /etc/passwd /1
COPY --from=two /etc/passwd /2
E
    timeout 20 caisson build -q --network none -f "$FILE" .
}

# --- mounts ---

@test "bind of the context: read, never written, and what is ignored is not there" {
    mkdir sub
    echo a >a
    echo s >sub/s
    echo hidden >hidden
    echo hidden >.dockerignore
    step 'RUN --mount=target=/ctx ls -A /ctx; cat /ctx/sub/s' \
        'RUN --mount=type=bind,target=/ctx ! touch /ctx/new 2>/dev/null' \
        'RUN --mount=type=bind,target=/ctx,rw echo changed >/ctx/a && rm -r /ctx/sub && touch /ctx/new && cat /ctx/a' \
        'RUN --mount=type=bind,source=sub/s,target=/one cat /one' \
        'RUN --mount=target=/ctx cat /ctx/a' \
        'RUN ! ls /ctx /one 2>/dev/null'
    build --network none
    [ "$(told)" = $'.dockerignore\na\nsub\ns\nchanged\ns\na' ]
    [ "$(ls -A)" = $'.dockerignore\na\nhidden\nsub' ]
    [ "$(cat a)" = a ]
    step 'RUN --mount=source=hidden,target=/h cat /h'
    wrong hidden --network none
}

@test "bind of a stage and of an image, whole and a part; writes are discarded" {
    dockerfile <<'E'
FROM busybox AS made
RUN mkdir /d && echo f >/d/f
FROM busybox
RUN --mount=from=made,source=/d,target=/m cat /m/f && ! touch /m/x 2>/dev/null
RUN --mount=from=made,source=/d/f,target=/file cat /file
RUN --mount=from=busybox,target=/img /img/bin/busybox echo "of the image"
RUN --mount=from=made,source=/d,target=/m,rw echo w >/m/f && cat /m/f
RUN --mount=from=made,source=/d,target=/m cat /m/f
E
    build --network none -o out
    [ "$(told)" = $'f\nf\nof the image\nw\nf' ]
    [ ! -e out/m ]
    [ ! -e out/file ]
    [ ! -e out/img ]
}

@test "tmpfs: empty, writable, of its size, and nothing of it is kept" {
    step 'RUN --mount=type=tmpfs,target=/t,size=1m echo x >/t/x && ! head -c 2m /dev/zero >/t/big 2>/dev/null' \
        'RUN --mount=type=tmpfs,target=/etc ls -A /etc | grep -v "^host\|^resolv"; true' \
        'RUN ls /t 2>/dev/null; [ -e /etc/passwd ]'
    build --network none -o out
    [ ! -e out/t ]
}

@test "cache: kept from build to build and step to step, with an owner and a mode, in no layer" {
    step 'USER 7' \
        'RUN --mount=type=cache,id=c1,target=/c,uid=7,gid=8,mode=0750 stat -c "%u %g %a" /c; echo one >/c/f' \
        'RUN --mount=type=cache,target=/c,id=c1 cat /c/f'
    build --network none -o out
    [ "$(told)" = $'7 8 750\none' ]
    [ ! -e out/c ]
    step 'RUN --mount=type=cache,target=/other,id=c1,ro cat /other/f; ! touch /other/x 2>/dev/null'
    build --network none
    [ "$(told)" = one ]
    # Without an id it is that of its target; other ids are other caches.
    step 'RUN --mount=type=cache,target=/c ls /c | wc -l; touch /c/by-target' \
        'RUN --mount=type=cache,target=/c,id=c2 ls /c | wc -l' \
        'RUN --mount=type=cache,target=/elsewhere,id=/c ls /elsewhere'
    build --network none
    [ "$(told)" = $'0\n0\nby-target' ]
}

@test "cache: begins with what from= and source= name, and only then" {
    dockerfile <<'E'
FROM busybox AS seed
RUN mkdir /s && echo seed >/s/f
FROM busybox
RUN --mount=type=cache,id=seeded,target=/c,from=seed,source=/s cat /c/f && echo changed >/c/f
RUN --mount=type=cache,id=seeded,target=/c,from=seed,source=/s cat /c/f; true
E
    build --network none
    [ "$(told)" = $'seed\nchanged' ]
}

@test "cache: locked ones are one step's at a time, private ones each step's own" {
    dockerfile <<'E'
FROM busybox AS one
RUN --mount=type=cache,id=l,target=/c,sharing=locked mkdir /c/held && sleep 0.3 && rmdir /c/held
RUN --mount=type=cache,id=p,target=/p,sharing=private --mount=type=cache,id=private-meet,target=/meet touch /p/one /meet/one && until [ -e /meet/two ]; do sleep 0.05; done && [ "$(ls /p | wc -l)" = 1 ]
FROM busybox AS two
RUN --mount=type=cache,id=l,target=/c,sharing=locked mkdir /c/held && sleep 0.3 && rmdir /c/held
RUN --mount=type=cache,id=p,target=/p,sharing=private --mount=type=cache,id=private-meet,target=/meet touch /p/two /meet/two && until [ -e /meet/one ]; do sleep 0.05; done && [ "$(ls /p | wc -l)" = 1 ]
FROM scratch
COPY --from=one /etc/passwd /1
COPY --from=two /etc/passwd /2
E
    build --network none
}

@test "secrets: a file of mode 0400, a variable, at another place, and what is required" {
    printf 'value-of-the-file' >../secret
    chmod 600 ../secret
    step 'RUN --mount=type=secret,id=s stat -c "%a %u %g" /run/secrets/s; wc -c </run/secrets/s; ! (echo x >/run/secrets/s) 2>/dev/null' \
        'RUN --mount=type=secret,id=s,target=/root/s,mode=0444,uid=5,gid=6 stat -c "%a %u %g" /root/s' \
        'RUN --mount=type=secret,id=e,env=ITS [ "$ITS" = value-of-the-variable ]; [ ! -e /run/secrets/e ]' \
        'RUN ! [ -e /root/s ]; [ -z "$ITS" ]; ls -A /run/secrets 2>/dev/null; true' \
        'RUN --mount=type=secret,id=none [ ! -e /run/secrets/none ]'
    E=value-of-the-variable build --network none --secret id=s,src=../secret --secret id=e,env=E -o out
    [ "$(told)" = $'400 0 0\n17\n444 5 6' ]
    [ ! -e out/root/s ]
    [ ! -e out/run/secrets ]
    step 'RUN --mount=type=secret,id=must,required cat /run/secrets/must'
    wrong "--secret id=must,src=FILE" --network none
    step 'RUN --mount=type=secret,id=s cat /run/secrets/s'
    wrong "cannot read" --network none --secret id=s,src=../missing
    wrong "not set" --network none --secret id=s,env=NOT_SET_AT_ALL
}

@test "secrets: in no layer, no configuration, no key and no output, whatever a step does" {
    printf 'hunter2-of-the-host\nsecond-line-of-it\n' >../secret
    step 'RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S cat /run/secrets/s; echo "x $S y" | base64 >/dev/null; echo "mid $(head -1 /run/secrets/s) dle"; echo kept >/kept' \
        'RUN --mount=type=secret,id=s sh -c "exit 1 # $(cat /run/secrets/s)" || true'
    image_builds t --network none --secret id=s,src=../secret
    unsaid hunter2
    unsaid second-line
    said "mid *** dle"
    caisson save -o ../t.tar t
    ! grep -aq 'hunter2\|second-line' ../t.tar || false
    ! grep -arq 'hunter2\|second-line' "$CAISSON_ROOT/build" "$CAISSON_ROOT/blobs" || false
    # Another value is no reason to carry out again.
    printf 'other-value' >../secret
    image_builds t --network none --secret id=s,src=../secret
    cached 2
    # Nor is it in the sentence about a failure.
    step 'RUN --mount=type=secret,id=s cat /run/secrets/s; exit 3'
    rc=0
    caisson build --network none --secret id=s,src=../secret -f "$FILE" . >../all 2>&1 || rc=$?
    [ "$rc" = 1 ]
    ! grep -q other-value ../all || false
}

@test "mount points are not left in the layer, not even where a link leads" {
    printf 'some-secret' >../secret
    step 'RUN mkdir -p /real/dir && ln -s /real /link' \
        'RUN --mount=type=secret,id=s,target=/new/deep/s --mount=type=cache,target=/new/cache --mount=type=tmpfs,target=/link/dir/sub --mount=type=secret,id=s,target=/link/new/s true' \
        'RUN --mount=type=cache,target=/stays echo x >/stays/x; mkdir -p /new2 && echo x >/new2/x'
    build --network none --secret id=s,src=../secret -o "type=tar,dest=$BATS_TEST_TMPDIR/tree.tar"
    same "$(listed "$BATS_TEST_TMPDIR/tree.tar" ' (new|real|stays|link)')" 'lrwxrwxrwx 0/0 link -> /real
drwxr-xr-x 0/0 new2/
-rw-r--r-- 0/0 new2/x
drwxr-xr-x 0/0 real/
drwxr-xr-x 0/0 real/dir/'
    # A step that only looked has made no layer at all.
    step 'RUN --mount=type=secret,id=s true'
    image_builds t --network none --secret id=s,src=../secret
    [ "$(caisson image inspect -f '{{json .RootFS.Layers}}' t)" = \
        "$(caisson image inspect -f '{{json .RootFS.Layers}}' busybox)" ]
}

@test "ssh: an agent is asked for keys through us, and takes none" {
    skip_without python3
    python3 "$BATS_TEST_DIRNAME/../lib/ssh_agent.py" ../agent ../log </dev/null >/dev/null 2>&1 3>&- &
    agent=$!
    waits 5 test -S ../agent
    cp "$CAISSON_BUILD/tests/escape-ask" ask
    # A list of keys (11), a signature (13), adding one (17), removing all (19), a lock (22), an
    # extension (27).
    step 'RUN --mount=target=/ctx --mount=type=ssh stat -c "%a %u" $SSH_AUTH_SOCK && /ctx/ask $SSH_AUTH_SOCK 000000010b 000000010d 0000000111 0000000113 0000000116 000000011b' \
        'RUN [ -z "$SSH_AUTH_SOCK" ]'
    build --network none --ssh "default=$PWD/../agent" -o out || { kill "$agent" && false; }
    kill "$agent"
    same "$(told)" $'600 0\n000000050c00000000\n0000000106\n0000000105\n0000000105\n0000000105\n0000000105'
    same "$(cat ../log)" $'11\n13'
    [ ! -e out/run/buildkit ]
    step 'RUN --mount=type=ssh,required true'
    wrong "--ssh default" --network none
    # What is no agent is told before anything is done, and whether it is of use or not.
    step 'RUN true'
    wrong "--ssh default: cannot find the agent's socket /missing" --network none --ssh default=/missing
    echo "a key" >../key
    wrong "is no socket of an agent" --network none --ssh "other=$PWD/../key"
    SSH_AUTH_SOCK=/missing/too wrong "/missing/too" --network none --ssh default
    step 'RUN --mount=type=ssh [ -z "$SSH_AUTH_SOCK" ]'
    build --network none
    wrong "SSH_AUTH_SOCK" --network none --ssh default
}
