#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The two Dockerfiles that people are taught with: an application of Node that runs as a user of its own, and
# the same in two stages. Where the archive of a base with nodejs and npm is given (CAISSON_TEST_NODE, as
# `caisson bootstrap debian --include nodejs,npm` makes it; .ci/run does).
bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup_file() {
    common_setup_file
    host_usable && [ -n "${CAISSON_TEST_NODE:-}" ] || return 0
    host_begin
    caisson load -q -i "$CAISSON_TEST_NODE" >/dev/null
    base
    application
}
setup() {
    [ -n "${CAISSON_TEST_NODE:-}" ] || skip "CAISSON_TEST_NODE names no archive of a base with nodejs and npm"
    host_usable || skip "needs root, nft, ip, ss, nsenter and python3"
}
teardown_file() {
    common_teardown_file
    [ -z "${CAISSON_TEST_NODE:-}" ] || host_end
}

# The names and programs that the Dockerfiles ask for: Alpine's addgroup and adduser, over Debian's.
base() {
    local dir=$BATS_FILE_TMPDIR/base
    mkdir -p "$dir"
    cat >"$dir/Dockerfile" <<'END'
FROM node:debian
COPY --chmod=755 <<"ADDGROUP" <<"ADDUSER" /usr/local/sbin/
#!/bin/sh
[ "$1" = -S ] && shift
exec groupadd --system "$@"
ADDGROUP
#!/bin/sh
[ "$1" = -S ] && shift
user=$1
exec useradd --system --gid "$3" "$user"
ADDUSER
RUN mv /usr/local/sbin/ADDGROUP /usr/local/sbin/addgroup && mv /usr/local/sbin/ADDUSER /usr/local/sbin/adduser
END
    caisson build -q --network none -t node:20-alpine -t node:20 "$dir" >/dev/null
}

application() {
    APP=$BATS_FILE_TMPDIR/app
    export APP
    mkdir -p "$APP/dist"
    cat >"$APP/server.js" <<'END'
require('http').createServer((q, r) => r.end('hello from ' + require('os').userInfo().username + '\n')).listen(3000);
END
    cat >"$APP/package.json" <<'END'
{"name": "app", "version": "1.0.0", "private": true, "scripts": {"build": "mkdir -p dist && cp server.js dist/server.js"}}
END
    cat >"$APP/package-lock.json" <<'END'
{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "app", "version": "1.0.0"}}}
END
    echo node_modules >"$APP/.dockerignore"
}

# answers PORT: what it says there; waits until it listens.
answers() {
    waits 20 in_host sh -c "exec 3<>/dev/tcp/127.0.0.1/$1" || waits 20 in_host python3 -c \
        "import socket; socket.create_connection(('127.0.0.1', $1), 1)"
    in_host python3 -c "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:$1/', timeout=10).read().decode(), end='')"
}

@test "the lesson's Dockerfile builds, runs as appuser, and answers on its port" {
    cat >"$APP/Dockerfile" <<'END'
FROM node:20-alpine
RUN addgroup -S appgroup && adduser -S appuser -G appgroup
WORKDIR /app
COPY --chown=appuser:appgroup . .
RUN npm ci --production
USER appuser
EXPOSE 3000
CMD ["node", "server.js"]
END
    caisson build --network none -t my-app:latest "$APP"
    caisson run -d --name my-container -p 3000:3000 my-app:latest
    [ "$(answers 3000)" = "hello from appuser" ]
    [ "$(caisson exec my-container whoami)" = appuser ]
    caisson rm -f my-container
    caisson run -d --name my-container --read-only --tmpfs /tmp:size=64m --tmpfs /app/cache:size=32m --memory=512m \
        --memory-swap=512m --cpus=1.5 --pids-limit 100 -p 3000:3000 my-app:latest
    [ "$(answers 3000)" = "hello from appuser" ]
    caisson rm -f my-container
}

@test "the lesson's two stages: the result is small and has nothing of the builder's" {
    cat >"$APP/Dockerfile" <<'END'
FROM node:20 AS builder
WORKDIR /app
COPY . .
RUN npm ci && npm run build
FROM node:20-alpine
RUN addgroup -S appgroup && adduser -S appuser -G appgroup
WORKDIR /app
COPY --from=builder --chown=appuser:appgroup /app/dist ./dist
USER appuser
EXPOSE 3000
CMD ["node", "dist/server.js"]
END
    caisson build --network none -t my-app:small "$APP"
    [ "$(caisson run --rm --network none my-app:small ls /app)" = dist ]
    caisson run -d --name small -p 3001:3000 my-app:small
    [ "$(answers 3001)" = "hello from appuser" ]
    caisson rm -f small
}
