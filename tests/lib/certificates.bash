# SPDX-License-Identifier: Apache-2.0
# An authority of the tests' own (ca.pem in $BATS_FILE_TMPDIR), a server's certificate for localhost and
# 127.0.0.1 (cert.pem, key.pem), and a client's (client.pem, client.key).

certificates() {
    (
        cd "$BATS_FILE_TMPDIR"
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 \
            -subj /CN=tests -addext basicConstraints=critical,CA:TRUE
        openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=localhost
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
            -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1) -out cert.pem
        openssl req -newkey rsa:2048 -nodes -keyout client.key -out request.pem -subj /CN=the-client
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out client.pem
    ) >/dev/null 2>&1
}
