#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lock, and what build and pull make of a lock file.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/registry

setup_file() { common_setup_file; registry_usable || return 0; registry_begin; }
setup() {
    registry_usable || skip "needs root, docker-registry, openssl and python3"
    registry_place
    caisson builder prune -af >/dev/null
    caisson system prune -af >/dev/null
}
teardown_file() { common_teardown_file; registry_end; }

R=127.0.0.1:5000
F=127.0.0.1:5002
# locked NAME: its digest.
locked() { awk -v name="$1" '$1 == name {print $2}' caisson.lock; }

@test "the images of all stages are locked, those with a digest need none" {
    a=$(put l1/a:1) b=$(put l1/b:1 layers=1) c=$(put l1/c:2)
    dockerfile "ARG NAME=l1/a" "FROM $R/\$NAME:1 AS one" "FROM $R/l1/c@$c AS two" "FROM one AS three" \
        "COPY --from=$R/l1/b:1 /layer-0 /" "RUN --mount=from=$R/l1/c:2,target=/m true" "FROM scratch" "COPY --from=three / /"
    run -0 caisson lock
    [[ $output == *"$R/l1/a:1: locked to $a"* ]]
    [[ $output == *"./caisson.lock: 3 images, 3 new" ]]
    [ "$(grep -v '^#' caisson.lock)" = "version 1
$R/l1/a:1 $a
$R/l1/b:1 $b
$R/l1/c:2 $c" ]
    [ "$(stat -c %a caisson.lock)" = 644 ]
    # Again: nobody is asked.
    sum=$(sha256sum caisson.lock)
    : >"$BATS_FILE_TMPDIR/requests"
    [ "$(caisson lock)" = "./caisson.lock: 3 images" ]
    [ -z "$(requests)" ]
    [ "$(sha256sum caisson.lock)" = "$sum" ]
    mkdir -m 777 other && cp Dockerfile other/Mine && cd other
    run -0 caisson lock -q -f Mine --target one --build-arg NAME=l1/b .
    [ -z "$output" ]
    [ "$(grep -v '^#' caisson.lock)" = "version 1
$R/l1/b:1 $b" ]
}

@test "a build is held to it, whatever the tag has become, and wherever the image is" {
    old=$(put l2/base:1 seed=old layers=1)
    dockerfile "FROM $R/l2/base:1" "RUN sha256sum /layer-0 >/sum"
    caisson lock -q
    put l2/base:1 seed=new layers=1 >/dev/null
    sum() { caisson run --rm --network none "$1" cat /sum; }
    run -0 build -t held .
    [[ $output == *"$old"* ]]
    build --no-lock -q -t free . >/dev/null
    [ "$(sum held)" != "$(sum free)" ]
    # The tag is here now, and is another image.
    caisson pull -q --no-lock $R/l2/base:1
    build --no-cache -q -t again . >/dev/null
    [ "$(sum again)" = "$(sum held)" ]
    build --no-cache --pull -q -t again . >/dev/null
    [ "$(sum again)" = "$(sum held)" ]
    # What a digest names need not be asked for: once it is here there is no registry.
    sed -i "s/:5000/:5009/" Dockerfile caisson.lock
    caisson tag held 127.0.0.1:5009/l2/base:1
    fails 1 "127.0.0.1:5009/l2/base:1 was not fetched" build --no-cache -q .
}

@test "a name that is not in it is refused, in triggers of a base as well; what was made here is ours" {
    put l3/base:1 >/dev/null
    put l3/other:1 layers=1 >/dev/null
    dockerfile "FROM $R/l3/base:1" "ONBUILD COPY --from=$R/l3/other:1 /layer-0 /"
    caisson lock -q
    build -q -t trigger . >/dev/null
    dockerfile "FROM trigger"
    run -0 caisson lock
    [[ $output == *"trigger: not locked, it was made here"* ]]
    fails 1 "$R/l3/other:1 is not in caisson.lock, which this build is held to" build .
    dockerfile "FROM $R/l3/base:1" "COPY --from=$R/l3/other:1 /layer-0 /"
    fails 1 "$R/l3/other:1 is not in caisson.lock, which this build is held to: 'caisson lock' adds it" build .
    # Also when it is here, by pull.
    caisson pull -q --no-lock $R/l3/other:1
    fails 1 "is not in caisson.lock" build .
    caisson lock -q
    build -q . >/dev/null
    # A name of ours is asked for nowhere, unless it has to be.
    dockerfile "FROM trigger AS one" "FROM $R/l3/base:1"
    : >"$BATS_FILE_TMPDIR/requests"
    caisson lock -q
    [ -z "$(requests)" ]
    dockerfile "FROM trigger"
    fails 1 "trigger is not in caisson.lock" build --pull .
    # One that was pulled once, and is another's now, is ours.
    caisson tag trigger $R/l3/other:1
    dockerfile "FROM $R/l3/other:1" "RUN true"
    sed -i /other/d caisson.lock
    fails 1 "layer-0 is not in image $R/l3/other:1" build .
}

@test "--update says what moved, --prune takes out, --check asks nobody" {
    old=$(put l4/a:1 seed=old layers=1)
    put l4/b:1 >/dev/null
    dockerfile "FROM $R/l4/a:1" "COPY --from=$R/l4/b:1 /bin /"
    caisson lock -q
    new=$(put l4/a:1 seed=new layers=1)
    [ "$(caisson lock)" = "./caisson.lock: 2 images" ]
    dockerfile "FROM $R/l4/a:1"
    run -0 caisson lock --update
    [ "$output" = "$R/l4/a:1: moved from $old to $new
./caisson.lock: 2 images, 1 moved" ]
    [ "$(locked $R/l4/a:1)" = "$new" ]
    run -0 caisson lock --prune
    [ "$output" = "$R/l4/b:1: taken out
./caisson.lock: 1 image, 1 taken out" ]
    : >"$BATS_FILE_TMPDIR/requests"
    run -0 caisson lock --check
    [ -z "$output" ]
    dockerfile "FROM $R/l4/a:1" "COPY --from=$F/l4/b:1 /bin /"
    run -1 caisson lock --check
    [ "$output" = "$F/l4/b:1: not in ./caisson.lock" ]
    [ -z "$(requests)" ]
    fails 1 "--check changes nothing" caisson lock --check --update
}

@test "what cannot be asked for leaves the file as it was" {
    put l5/a:1 >/dev/null
    dockerfile "FROM $R/l5/a:1"
    caisson lock -q
    cp caisson.lock before
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "FROM $R/l5/none:$i"; put l5/b:$i layers=1 >/dev/null; echo "FROM $R/l5/b:$i"; done >>Dockerfile
    run -1 caisson lock
    [[ $output == *"12 of 24 images could not be asked for, so ./caisson.lock is as it was" ]]
    [ "$(grep -c "l5/none:" <<<"$output")" = 12 ]
    cmp before caisson.lock
    sed -i /none/d Dockerfile
    caisson lock -q
    [ "$(grep -c "^$R" caisson.lock)" = 13 ]
    [ "$(locked $R/l5/b:7)" = "$(caisson manifest inspect --digest $R/l5/b:7)" ]
}

@test "pull: in its directory, without a name, and held to a file" {
    old=$(put l6/a:1 seed=old layers=1)
    put l6/b:1 >/dev/null
    dockerfile "FROM $R/l6/a:1" "COPY --from=$R/l6/b:1 /bin /"
    caisson lock -q
    new=$(put l6/a:1 seed=new layers=1)
    put l6/c:1 >/dev/null
    run -0 caisson pull $R/l6/a:1
    [[ $output == *"Pulling from $R/l6/a, held to ${old:0:19} by caisson.lock"*"Digest: $old"* ]]
    caisson pull -q $R/l6/c:1
    caisson rmi -f $R/l6/a:1 $R/l6/c:1
    run -0 caisson pull -q
    [ "$output" = "$R/l6/a:1
$R/l6/b:1" ]
    [ "$(caisson image inspect --format '{{index .RepoDigests 0}}' $R/l6/a:1)" = "$R/l6/a@$old" ]
    fails 1 "$R/l6/c:1 is not in caisson.lock" caisson pull --lock-file caisson.lock $R/l6/c:1
    caisson pull -q --no-lock $R/l6/a:1
    [ "$(caisson image inspect --format '{{index .RepoDigests 0}}' $R/l6/a:1)" = "$R/l6/a@$new" ]
    # "missing" is not what is another one.
    caisson pull -q --policy missing $R/l6/a:1
    [ "$(caisson image inspect --format '{{index .RepoDigests 0}}' $R/l6/a:1)" = "$R/l6/a@$old" ]
    : >"$BATS_FILE_TMPDIR/requests"
    caisson pull -q --policy missing $R/l6/a:1
    [ -z "$(requests)" ]
    # run is nobody's project.
    caisson rmi -f $R/l6/a:1
    caisson run --rm --network none --pull always $R/l6/a:1 true
    [ "$(caisson image inspect --format '{{index .RepoDigests 0}}' $R/l6/a:1)" = "$R/l6/a@$new" ]
    cd /
    fails 1 "a name is needed" caisson pull
    fails 1 "contradict each other" caisson pull --lock-file x --no-lock
    fails 1 "cannot read the lock file nowhere" caisson pull --lock-file nowhere
}

@test "pull: several names, each by itself" {
    put l7/a:1 >/dev/null
    put l7/b:1 >/dev/null
    run -1 --separate-stderr caisson pull -q $R/l7/a:1 $R/l7/none:1 $R/l7/b:1
    [ "$output" = "$R/l7/a:1
$R/l7/b:1" ]
    [[ $stderr == *"l7/none"* ]]
}

@test "a lock file that is none, or damaged, is an error and not no lock file" {
    put l8/a:1 >/dev/null
    dockerfile "FROM $R/l8/a:1"
    digest=sha256:$(printf %064d 0)
    try() {
        printf "$1" >caisson.lock
        for command in "build ." "pull $R/l8/a:1" "lock"; do
            # shellcheck disable=SC2086 # words
            fails 1 "$2" caisson $command
        done
    }
    try "" "it is empty"
    try "version 2\n" 'caisson.lock:1: the first line has to be "version 1"'
    try "version 1\n$R/l8/a:1 sha256:12\n" 'caisson.lock:2: no digest: "sha256:12"'
    try "version 1\n$R/l8/a:1\n" "a name and a digest are needed"
    try "version 1\nalpine $digest\n" 'no whole name of an image with a tag: "alpine"'
    try "version 1\n$R/l8/a:1 $digest\n$R/l8/a:1 $digest\n" "there twice"
    try "version 1\n\0" "NUL"
    rm caisson.lock
    mkdir caisson.lock
    fails 1 "cannot read the lock file caisson.lock of the context" build .
    rmdir caisson.lock
    # In the context, wherever links lead.
    ln -s /proc/self/root/etc/passwd caisson.lock
    fails 1 "cannot read the lock file caisson.lock of the context" build .
    ln -sfn nowhere caisson.lock
    fails 1 "cannot read the lock file caisson.lock: " caisson pull -q $R/l8/a:1
}

# names: what is locked, one word after another, without the registry.
names() { sed -n "s|^$R/c/\\([^ ]*\\) .*|\\1|p" caisson.lock | xargs; }

@test "compose: images of services, of what they are built from, and of what is mounted" {
    for name in db web-base inline mounted from-env extra context; do put c/$name:1 >/dev/null; done
    mkdir web
    printf 'ARG FROM\nFROM $FROM AS one\nFROM extra\nFROM none:1\n' >web/Dockerfile.web
    cat >compose.yaml <<E
x-common: &common {image: "$R/c/db:\${DB_TAG:-1}"}
services:
  db: {<<: *common, ports: ["22:22"]}
  again: *common
  web:
    image: ours:latest
    build: {context: web, dockerfile: Dockerfile.web, target: one, args: {FROM: "$R/c/web-base:\$ONE"}}
  inline:
    build:
      dockerfile_inline: |
        FROM $R/c/inline:1
        FROM extra
      additional_contexts: ["extra=docker-image://$R/c/extra:1"]
    volumes: [{type: image, source: "$R/c/mounted:1", target: /m}, "data:/data", {type: volume, source: x, target: /x}]
  env: {image: "$R/c/\${NAME:?say which}:1", profiles: [never]}
volumes: {data: {}}
E
    echo 'ONE="1"' >.env
    fails 1 "compose.yaml: services.env.image: the variable NAME is required: say which" caisson lock
    export NAME=from-env
    caisson lock -q
    [ "$(names)" = "db:1 extra:1 from-env:1 inline:1 mounted:1 web-base:1" ]
    caisson lock --check
    # The environment goes before .env.
    ONE=none fails 1 "c/web-base" caisson lock -f compose.yaml
}

@test "compose: files merged, included and extended" {
    for name in one two over base included inner; do put c/$name:1 >/dev/null; done
    mkdir -p sub/deep
    cat >compose.yaml <<E
include: [sub/compose.yaml, {path: [sub/deep/a.yml, sub/deep/b.yml], project_directory: sub}]
services:
  a: {image: "$R/c/none:1"}
  b: {build: {context: ., args: {TAG: none}}}
  c: {image: "$R/c/none:1", build: .}
  e: {extends: {file: sub/base.yml, service: last}}
E
    cat >compose.override.yml <<E
services:
  a: {image: "$R/c/over:1"}
  b: {build: {args: [TAG=1]}}
  c: {image: "$R/c/one:1", build: !reset null}
E
    printf 'ARG TAG\nFROM %s:$TAG\n' "$R/c/two" >Dockerfile
    printf 'services:\n  in: {image: "%s/${WHICH}:1"}\n' "$R/c" >sub/compose.yaml
    echo WHICH=included >sub/.env
    printf 'services:\n  d: {image: none}\n' >sub/deep/a.yml
    printf 'services:\n  d: {image: "%s/inner:1"}\n' "$R/c" >sub/deep/b.yml
    printf 'services:\n  last: {extends: first}\n  first: {image: "%s/base:1"}\n' "$R/c" >sub/base.yml
    caisson lock -q --build-arg TAG=1
    [ "$(names)" = "base:1 included:1 inner:1 one:1 over:1 two:1" ]
    # Files that are named are all there is.
    rm caisson.lock
    printf 'services:\n  a: {image: "%s/one:1"}\n' "$R/c" >other.yml
    caisson lock -q -f other.yml
    [ "$(names)" = one:1 ]
}

@test "compose: a Dockerfile of a service is in the project, and what holds its build is said" {
    put c/in:1 >/dev/null
    mkdir -p project/web outside
    chmod 777 project
    echo "FROM $R/c/in:1" | tee project/web/Dockerfile >outside/Dockerfile
    cd project
    for file in ../../outside/Dockerfile "$PWD/../outside/Dockerfile" link; do
        ln -sf ../../outside/Dockerfile web/link
        printf 'services: {a: {build: {context: web, dockerfile: "%s"}}}\n' "$file" >compose.yaml
        fails 1 "leads out of the project" caisson lock
    done
    echo 'services: {a: {build: web}}' >compose.yaml
    run -0 caisson lock
    [[ $output == *"'caisson build web' is held to it with --lock-file ./caisson.lock"* ]]
    put c/in:1 seed=moved layers=1 >/dev/null
    run -0 build --lock-file caisson.lock web
    [[ $output == *"$(locked $R/c/in:1)"* ]]
    # Nowhere else is looked for what is not there.
    mkdir -p web/web
    ln -s ../../../outside/Dockerfile web/web/none
    printf 'services: {a: {build: {context: web, dockerfile: none}}}\n' >compose.yaml
    fails 1 "cannot open the Dockerfile web/none" caisson lock
    # A service whose files are elsewhere cannot be locked.
    echo 'services: {a: {build: "https://example.com/x.git"}}' >compose.yaml
    run -1 caisson lock --check
    [ "$output" = "a: what it is built from is elsewhere: not locked" ]
}

@test "compose: what is wrong is told with its place, and locks nothing" {
    try() {
        printf '%s\n' "$1" >compose.yaml
        fails 1 "$2" caisson lock
        [ ! -e caisson.lock ]
    }
    try "services: [" "compose.yaml:"
    try "- a" "compose.yaml is no compose file: a mapping is needed"
    try "services: [a]" "compose.yaml: services: a mapping is needed"
    try "services: {a: b}" 'compose.yaml: service "a": a mapping is needed'
    try "services: {a: {image: [b]}}" 'service "a": image: a name is needed'
    try "services: {a: {image: 'B C'}}" 'compose.yaml: invalid image name "B C"'
    try "services: {a: {image: 'a:\$NOT_SET'}}" "invalid image name"
    try "services: {a: {image: 'a:\${'}}" 'services.a.image: "${" is no variable'
    try "services: {a: {build: 1, x: [&y 1, *z]}}" "compose.yaml:1: an alias of an anchor"
    try "services: {a: {extends: b}}" 'service "b": there is none of this name'
    try "services: {a: {extends: a}}" "it goes round in a circle"
    try "services: {a: {extends: {file: nowhere, service: a}}}" "cannot read the compose file nowhere"
    try "include: [compose.yaml]" "it goes round in a circle"
    try "include: [nowhere]" "cannot read the compose file nowhere"
    try "include: [{path: []}]" "include: a path is needed"
    try "services: {a: {build: {context: nowhere}}}" "compose.yaml: service a: cannot open the build context nowhere"
    try "services: {a: {build: {args: 1}}}" "args and additional_contexts are lists"
    try "servces: {}" 'compose.yaml: "servces" is no key of a compose file'
    try "include: other.yaml" "compose.yaml: include: a list is needed"
    try "services: {a: {volumes: {}}}" 'service "a": volumes: a list is needed'
    head -c 5000000 /dev/zero | tr '\0' '#' >compose.yaml
    fails 1 "cannot read the compose file compose.yaml: " caisson lock
}

@test "compose: what looks like a secret reaches no registry" {
    for name in one two; do put c/$name:withheld >/dev/null; done
    cat >compose.yaml <<E
services:
  a: {image: "$R/c/one:\${DEPLOY_TOKEN:?needed}"}
  b:
    build:
      args: [NPM_TOKEN]
      dockerfile_inline: |
        ARG NPM_TOKEN
        FROM $R/c/two:\$NPM_TOKEN
E
    echo DEPLOY_TOKEN=mine >.env
    : >"$BATS_FILE_TMPDIR/requests"
    NPM_TOKEN=mine caisson lock -q
    [ "$(names)" = "one:withheld two:withheld" ]
    [[ $(requests) != *mine* ]]
}

@test "compose: files lie inside the project, but for those that are named" {
    put c/one:1 >/dev/null
    mkdir -m 777 -p project project/sub
    printf 'services:\n  a: {image: "%s/c/one:1"}\n' "$R" >outside.yaml
    printf 'FROM %s/c/one:1\n' "$R" >Dockerfile
    cd project
    try() {
        printf '%s\n' "$1" >compose.yaml
        fails 1 "$2" caisson lock
        [ ! -e caisson.lock ]
    }
    here=$(realpath .)
    try "include: [../outside.yaml]" "compose.yaml: include: ../outside.yaml leads out of the project ($here): name it with -f"
    try "services: {a: {extends: {file: ../outside.yaml, service: a}}}" "extends: ../outside.yaml leads out of the project"
    try "services: {a: {build: ..}}" 'compose.yaml: service "a": build: .. leads out of the project'
    ln -s .. sub/up
    try "services: {a: {build: sub/up/..}}" "sub/up/.. leads out of the project"
    try "services: {a: {build: '-'}}" "a directory is needed"
    mkfifo sub/fifo.yaml
    try "include: [sub/fifo.yaml]" "it is no regular file"
    # Without the fence: what was refused is there to be read.
    printf 'services: {}\n' >compose.yaml
    caisson lock -q -f compose.yaml -f ../outside.yaml
    [ "$(names)" = one:1 ]
    rm caisson.lock
    printf 'include: [../outside.yaml]\n' >compose.yaml
    mkdir ../.git
    [ -z "${CAISSON_TEST_USER:-}" ] || chown -R "$CAISSON_TEST_USER" ..
    caisson lock -q
    [ "$(names)" = one:1 ]
}

@test "compose: COMPOSE_FILE of .env is not passed over" {
    put c/one:1 >/dev/null
    printf 'services:\n  a: {image: "%s/c/one:1"}\n' "$R" >compose.yaml
    cp compose.yaml other.yaml
    echo COMPOSE_FILE=other.yaml >.env
    fails 1 "COMPOSE_FILE of .env names other files: name them with -f" caisson lock
    COMPOSE_FILE=x.yaml fails 1 "COMPOSE_FILE of the environment names other files" caisson lock
    # Where there is none of the usual ones, too.
    mv compose.yaml other.yaml
    dockerfile "FROM $R/c/one:1"
    fails 1 "COMPOSE_FILE of .env" caisson lock --check
    echo COMPOSE_FILE= >.env
    run -1 caisson lock --check
    [ "$output" = "$R/c/one:1: not in ./caisson.lock" ]
    caisson lock -q -f other.yaml
    [ "$(names)" = one:1 ]
}

@test "a context from elsewhere brings its own" {
    old=$(put l9/a:1 seed=old layers=1)
    dockerfile "FROM $R/l9/a:1"
    caisson lock -q
    put l9/a:1 seed=new layers=1 >/dev/null
    tar -cf context.tar Dockerfile caisson.lock
    build -q - <context.tar >/dev/null
    [[ $(caisson images --digests) == *"$old"* ]]
}
