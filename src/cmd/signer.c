/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/signer.h"

#include <linux/close_range.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "archive/confine.h"
#include "base/cleanup.h"
#include "base/text.h"

#define CLAIM_MAX 4096

struct request {
    uint32_t number;
    char digest[DIGEST_MAX];
};

struct reply {
    int32_t rc;
    uint32_t claim_length, length;
    char claim[CLAIM_MAX];
    unsigned char bytes[SIGNATURE_MAX];
    char error[512];
};

/* --- in the process with the key --- */

static int make_claim(const struct signer_words *words, const struct request *request,
                      struct signature *out, struct error *err)
{
    out->form = words->form;
    if (request->number >= words->names->len || !digest_valid(request->digest))
        return error_set(err, -EINVAL, "that is nothing to sign");
    const char *wanted = words->digests->items[request->number];
    if (*wanted && !streq(wanted, request->digest))
        return error_set(err, -EINVAL, "that is another digest than was asked for");
    const char *name = words->names->items[request->number];
    if (words->form == FORM_STATEMENT)
        statement_write(name, request->digest, &out->claim);
    else
        payload_write(name, request->digest, &out->claim);
    return out->claim.len > CLAIM_MAX ? error_set(err, -E2BIG, "a name is too long") : 0;
}

static int sign(const struct private_key *key, const struct signer_words *words,
                const struct request *request, struct reply *reply, struct error *err)
{
    autosignature s = {0};
    autobuf message = {0};
    size_t length = 0;
    int rc = make_claim(words, request, &s, err);
    if (rc < 0)
        return rc;
    signature_message(&s, &message);
    rc = private_key_sign(key, buf_text(&message), message.len, reply->bytes, &length, err);
    reply->length = (uint32_t)length;
    reply->claim_length = (uint32_t)s.claim.len;
    memcpy(reply->claim, s.claim.data, s.claim.len);
    return rc;
}

static bool answer(int socket, int rc, const struct error *why, struct reply *reply)
{
    reply->rc = rc;
    if (rc < 0)
        snprintf(reply->error, sizeof reply->error, "%.500s", why->text);
    return write(socket, reply, sizeof *reply) == (ssize_t)sizeof *reply;
}

/* The first answer is the public key. */
static int open_key(const struct buf *text, const char *passphrase, struct private_key **key,
                    struct reply *reply, struct error *err)
{
    const struct confine_paths nothing = {0};
    struct public_key public;
    int rc = worker_confine(&nothing, err);
    rc = rc < 0 ? rc : private_key_open(buf_text(text), text->len, passphrase, key, err);
    if (rc == 0)
        rc = private_key_public(*key, &public, err);
    if (rc < 0)
        return rc;
    reply->length = (uint32_t) public.length;
    memcpy(reply->bytes, public.der, public.length);
    return 0;
}

static void serve(int socket, const struct buf *text, const char *passphrase,
                  const struct signer_words *words)
{
    autoprivate key = NULL;
    struct reply reply = {0};
    struct request request;
    struct error why = {0};
    int rc = open_key(text, passphrase, &key, &reply, &why);
    if (!answer(socket, rc, &why, &reply) || rc < 0)
        return;
    while (read(socket, &request, sizeof request) == (ssize_t)sizeof request) {
        reply = (struct reply){0};
        why = (struct error){0};
        request.digest[DIGEST_MAX - 1] = '\0';
        rc = sign(key, words, &request, &reply, &why);
        if (!answer(socket, rc, &why, &reply))
            return;
    }
}

/* --- outside --- */

static int take_reply(const struct signer *s, struct reply *reply, struct error *err)
{
    ssize_t n;
    do
        n = read(s->socket, reply, sizeof *reply);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof *reply || reply->length > sizeof reply->bytes ||
        reply->claim_length > sizeof reply->claim)
        return error_set(err, -EPIPE, "the process with the key has ended");
    reply->error[sizeof reply->error - 1] = '\0';
    return reply->rc < 0 ? error_set(err, reply->rc, "%s", reply->error) : 0;
}

static int take_key(struct signer *s, struct error *err)
{
    struct reply reply;
    autobuf pem = {0};
    int rc = take_reply(s, &reply, err);
    if (rc < 0)
        return rc;
    pem_write("PUBLIC KEY", reply.bytes, reply.length, &pem);
    return public_key_parse(buf_text(&pem), pem.len, "the key", &s->key, err);
}

int signer_start(const struct buf *text, const char *passphrase, const struct signer_words *words,
                 struct signer *out, struct error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_errno(err, "cannot make a socket");
    pid_t pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return error_errno(err, "cannot start a process for the key");
    }
    if (pid == 0) {
        if (dup2(ends[1], 3) == 3 && syscall(SYS_close_range, 4, ~0u, 0) == 0)
            serve(3, text, passphrase, words);
        _exit(0);
    }
    close(ends[1]);
    struct signer started = {.socket = ends[0], .pid = pid};
    int rc = take_key(&started, err);
    if (rc < 0) {
        signer_end(&started);
        return rc;
    }
    *out = started;
    return 0;
}

int signer_sign(struct signer *s, size_t number, const char *digest, struct signature *out,
                struct error *err)
{
    struct request request = {.number = (uint32_t)number};
    struct reply reply;
    memcpy(request.digest, digest, DIGEST_MAX);
    if (write(s->socket, &request, sizeof request) != (ssize_t)sizeof request)
        return error_errno(err, "the process with the key has ended");
    int rc = take_reply(s, &reply, err);
    if (rc < 0)
        return rc;
    buf_add(&out->claim, reply.claim, reply.claim_length);
    buf_add(&out->bytes, reply.bytes, reply.length);
    return 0;
}

void signer_end(struct signer *s)
{
    if (s->socket < 0)
        return;
    close(s->socket);
    s->socket = -1;
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
