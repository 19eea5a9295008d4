/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/keys.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"
#define LINE 64
#define CURVE "prime256v1"

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
#define autokey __attribute__((cleanup(free_key))) EVP_PKEY *

/* --- PEM --- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Past "BEGIN LABEL" or "END LABEL" and its dashes; NULL: that is not there. */
static const char *take_fence(const char *at, const char *word, char label[PEM_LABEL_MAX])
{
    if (!starts_with(at, word))
        return NULL;
    at += strlen(word);
    const char *end = strstr(at, DASHES);
    if (!end || end == at || end - at >= PEM_LABEL_MAX)
        return NULL;
    memcpy(label, at, (size_t)(end - at));
    label[end - at] = '\0';
    for (const char *c = label; *c; c++)
        if ((*c < 'A' || *c > 'Z') && *c != ' ')
            return NULL;
    return end + strlen(DASHES);
}

static int no_pem(struct error *err)
{
    return error_set(err, -EINVAL,
                     "it is no PEM file of one block, which begins with \"-----BEGIN …-----\"");
}

int pem_read(const char *text, size_t length, char label[PEM_LABEL_MAX], struct buf *out,
             struct error *err)
{
    char begin[PEM_LABEL_MAX], end[PEM_LABEL_MAX];
    if (length > KEY_FILE_MAX || strlen(text) != length)
        return no_pem(err);
    while (is_space(*text))
        text++;
    const char *at = take_fence(text, BEGIN, begin);
    if (!at)
        return no_pem(err);
    autobuf body_text = {0}; /* it may be a private key's */
    char *body = buf_room(&body_text, length);
    size_t used = 0;
    for (; *at && *at != '-'; at++)
        if (!is_space(*at))
            body[used++] = *at;
    at = take_fence(at, END, end);
    int rc = at && streq(begin, end) ? base64_decode(body, used, out) : -EINVAL;
    explicit_bzero(body, used);
    if (rc < 0)
        return no_pem(err);
    while (is_space(*at))
        at++;
    if (*at)
        return no_pem(err);
    memcpy(label, begin, sizeof begin);
    return 0;
}

void pem_write(const char *label, const void *bytes, size_t length, struct buf *out)
{
    autobuf text = {0};
    base64_encode(bytes, length, &text);
    buf_fmt(out, BEGIN "%s" DASHES "\n", label);
    for (size_t i = 0; i < text.len; i += LINE)
        buf_fmt(out, "%.*s\n", LINE, text.data + i);
    buf_fmt(out, END "%s" DASHES "\n", label);
}

/* --- keys --- */

static EVP_PKEY *load(const struct public_key *key)
{
    const unsigned char *at = key->der;
    EVP_PKEY *loaded = d2i_PUBKEY(NULL, &at, (long)key->length);
    if (loaded && at != key->der + key->length) {
        EVP_PKEY_free(loaded);
        return NULL;
    }
    return loaded;
}

static bool is_supported(EVP_PKEY *key)
{
    char curve[40] = "";
    int kind = EVP_PKEY_get_base_id(key);
    if (kind == EVP_PKEY_ED25519)
        return true;
    return kind == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1 &&
           streq(curve, CURVE);
}

static int take_der(const struct buf *der, const char *from, struct public_key *out,
                    struct error *err)
{
    struct public_key key = {.length = der->len};
    if (der->len == 0 || der->len > sizeof key.der)
        return error_set(err, -EINVAL,
                         "it is no key that is known here: ECDSA on P-256 and Ed25519 are");
    memcpy(key.der, der->data, der->len);
    snprintf(key.from, sizeof key.from, "%s", from);
    for (char *c = key.from; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    autokey loaded = load(&key);
    if (!loaded || !is_supported(loaded))
        return error_set(err, -EINVAL,
                         "it is no key that is known here: ECDSA on P-256 and Ed25519 are");
    *out = key;
    return 0;
}

int public_key_parse(const char *text, size_t length, const char *from, struct public_key *out,
                     struct error *err)
{
    char label[PEM_LABEL_MAX];
    autobuf der = {0};
    int rc = pem_read(text, length, label, &der, err);
    if (rc == 0 && !streq(label, "PUBLIC KEY"))
        rc = error_set(err, -EINVAL, "it is a %s, and a PUBLIC KEY is needed", label);
    return rc < 0 ? rc : take_der(&der, from, out, err);
}

int public_key_read(const char *path, struct public_key *out, struct error *err)
{
    autobuf text = {0};
    int rc = read_named_file(path, KEY_FILE_MAX, &text);
    if (rc < 0)
        return error_set(err, rc, "cannot read the key %s: %s", path, error_describe(rc));
    rc = public_key_parse(buf_text(&text), text.len, path, out, err);
    return rc < 0 ? error_prefix(err, "the key %s", path) : 0;
}

bool public_key_verifies(const struct public_key *key, const void *message, size_t length,
                         const void *signature, size_t signature_length)
{
    autokey loaded = load(key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool plain = loaded && EVP_PKEY_get_base_id(loaded) == EVP_PKEY_ED25519;
    bool good =
        loaded && context && is_supported(loaded) &&
        EVP_DigestVerifyInit(context, NULL, plain ? NULL : EVP_sha256(), NULL, loaded) == 1 &&
        EVP_DigestVerify(context, signature, signature_length, message, length) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

void public_key_show(const struct public_key *key, struct buf *out)
{
    char hex[SHA256_HEX];
    sha256_hex(key->der, key->length, hex);
    buf_printable(out, key->from);
    buf_fmt(out, " (SHA256:%.16s)", hex);
}

/* --- remembering --- */

void public_key_remember(const struct public_key *key, char out[KEY_TEXT_MAX])
{
    autobuf text = {0};
    base64_encode(key->der, key->length, &text);
    snprintf(out, KEY_TEXT_MAX, "%s %s", buf_text(&text), key->from);
}

int public_key_recall(const char *text, struct public_key *out)
{
    autobuf der = {0};
    size_t length = strcspn(text, " ");
    if (base64_decode(text, length, &der) < 0)
        return -EINVAL;
    return take_der(&der, text[length] ? text + length + 1 : "", out, NULL);
}
