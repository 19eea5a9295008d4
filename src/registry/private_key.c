/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/private_key.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium/crypto_secretbox.h>
#include <string.h>
#include <sys/random.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#define LOCKED "ENCRYPTED SIGSTORE PRIVATE KEY"
#define LOCKED_BEFORE "ENCRYPTED COSIGN PRIVATE KEY" /* until cosign 1 */
#define PLAIN "PRIVATE KEY"
#define SALT 32
/* What every reader of such files takes. A file that asks for more memory than a gigabyte is not
 * one of cosign's. */
#define SCRYPT_N 32768
#define SCRYPT_R 8
#define SCRYPT_P 1
#define SCRYPT_N_MAX (1 << 20)
#define SCRYPT_MEMORY ((size_t)2 << 30)

/* An EVP_PKEY under another name. */
static EVP_PKEY *evp(const struct private_key *key)
{
    return (EVP_PKEY *)(uintptr_t)key;
}

void private_key_free(struct private_key *key)
{
    EVP_PKEY_free(evp(key));
}

static int broken(struct error *err)
{
    return error_set(err, -ENOMEM, "libcrypto refuses to work with the key");
}

/* --- opening --- */

struct envelope {
    int64_t n, r, p;
    struct buf salt, nonce, text;
};

static void envelope_free(struct envelope *e)
{
    buf_free(&e->salt);
    buf_free(&e->nonce);
    buf_free(&e->text);
}

static int no_envelope(struct error *err)
{
    return error_set(err, -EINVAL, "it is not locked as cosign locks keys");
}

static int take_bytes(const json_t *object, const char *key, struct buf *out, struct error *err)
{
    const char *text = NULL;
    if (json_get_string(object, key, &text, err) < 0 || !text ||
        base64_decode(text, strlen(text), out) < 0)
        return no_envelope(err);
    return 0;
}

static int parse_envelope(const struct buf *json, struct envelope *e, struct error *err)
{
    json_t *kdf = NULL, *cipher = NULL, *params = NULL;
    const char *kdf_name = NULL, *cipher_name = NULL;
    autojson root = json_parse(buf_text(json), json->len, "the locked key", err);
    if (!root || json_get_object(root, "kdf", &kdf, err) < 0 ||
        json_get_object(root, "cipher", &cipher, err) < 0 || !kdf || !cipher ||
        json_get_string(kdf, "name", &kdf_name, err) < 0 ||
        json_get_string(cipher, "name", &cipher_name, err) < 0 ||
        json_get_object(kdf, "params", &params, err) < 0 || !params || !streq(kdf_name, "scrypt") ||
        !streq(cipher_name, "nacl/secretbox"))
        return no_envelope(err);
    if (json_get_i64(params, "N", &e->n, err) < 0 || json_get_i64(params, "r", &e->r, err) < 0 ||
        json_get_i64(params, "p", &e->p, err) < 0 || e->n < 2 || e->n > SCRYPT_N_MAX ||
        (e->n & (e->n - 1)) != 0 || e->r < 1 || e->r > SCRYPT_R || e->p < 1 || e->p > 16)
        return no_envelope(err);
    int rc = take_bytes(kdf, "salt", &e->salt, err);
    if (rc == 0)
        rc = take_bytes(cipher, "nonce", &e->nonce, err);
    if (rc == 0)
        rc = take_bytes(root, "ciphertext", &e->text, err);
    if (rc == 0 &&
        (e->nonce.len != crypto_secretbox_NONCEBYTES || e->text.len < crypto_secretbox_MACBYTES))
        rc = no_envelope(err);
    return rc;
}

static int derive(const char *passphrase, const struct envelope *e,
                  unsigned char key[crypto_secretbox_KEYBYTES], struct error *err)
{
    return EVP_PBE_scrypt(passphrase, strlen(passphrase), (const unsigned char *)buf_text(&e->salt),
                          e->salt.len, (uint64_t)e->n, (uint64_t)e->r, (uint64_t)e->p,
                          SCRYPT_MEMORY, key, crypto_secretbox_KEYBYTES) == 1
               ? 0
               : broken(err);
}

static int unlock(const struct buf *json, const char *passphrase, struct buf *out,
                  struct error *err)
{
    unsigned char key[crypto_secretbox_KEYBYTES];
    struct envelope e __attribute__((cleanup(envelope_free))) = {0};
    int rc = parse_envelope(json, &e, err);
    if (rc == 0)
        rc = derive(passphrase, &e, key, err);
    if (rc < 0)
        return rc;
    char *room = buf_room(out, e.text.len);
    int bad = crypto_secretbox_open_easy((unsigned char *)room, (const unsigned char *)e.text.data,
                                         e.text.len, (const unsigned char *)e.nonce.data, key);
    explicit_bzero(key, sizeof key);
    if (bad)
        return error_set(err, -EKEYREJECTED, "the passphrase is wrong");
    out->len = e.text.len - crypto_secretbox_MACBYTES;
    return 0;
}

bool private_key_is_locked(const char *text, size_t length)
{
    char label[PEM_LABEL_MAX];
    autosecretbuf bytes = {0};
    return pem_read(text, length, label, &bytes, NULL) == 0 &&
           (streq(label, LOCKED) || streq(label, LOCKED_BEFORE));
}

static int load(const struct buf *der, struct private_key **out, struct error *err)
{
    const unsigned char *at = (const unsigned char *)buf_text(der);
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der->len);
    EVP_PKEY *loaded = info ? EVP_PKCS82PKEY(info) : NULL;
    struct public_key public;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (!loaded)
        return error_set(err, -EINVAL, "it is no private key (PKCS #8)");
    /* That it is of a kind by which anybody verifies here. */
    int rc = private_key_public((struct private_key *)loaded, &public, err);
    if (rc < 0) {
        EVP_PKEY_free(loaded);
        return rc;
    }
    *out = (struct private_key *)loaded;
    return 0;
}

int private_key_open(const char *text, size_t length, const char *passphrase,
                     struct private_key **out, struct error *err)
{
    char label[PEM_LABEL_MAX];
    autosecretbuf bytes = {0}, der = {0};
    int rc = pem_read(text, length, label, &bytes, err);
    if (rc < 0)
        return rc;
    if (streq(label, PLAIN))
        return load(&bytes, out, err);
    if (!streq(label, LOCKED) && !streq(label, LOCKED_BEFORE))
        return error_set(err, -EINVAL,
                         "it is a %s: keys of cosign are read, and those that 'openssl genpkey' "
                         "makes (PRIVATE KEY)",
                         label);
    rc = unlock(&bytes, passphrase, &der, err);
    return rc < 0 ? rc : load(&der, out, err);
}

/* --- using --- */

int private_key_make(enum key_type type, struct private_key **out, struct error *err)
{
    EVP_PKEY *made =
        type == KEY_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen("P-256");
    if (!made)
        return broken(err);
    *out = (struct private_key *)made;
    return 0;
}

int private_key_sign(const struct private_key *key, const void *message, size_t length,
                     unsigned char out[SIGNATURE_MAX], size_t *out_length, struct error *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool plain = EVP_PKEY_get_base_id(evp(key)) == EVP_PKEY_ED25519;
    *out_length = SIGNATURE_MAX;
    bool good =
        context &&
        EVP_DigestSignInit(context, NULL, plain ? NULL : EVP_sha256(), NULL, evp(key)) == 1 &&
        EVP_DigestSign(context, out, out_length, message, length) == 1;
    EVP_MD_CTX_free(context);
    return good ? 0 : broken(err);
}

int private_key_public(const struct private_key *key, struct public_key *out, struct error *err)
{
    unsigned char *der = NULL;
    autobuf pem = {0};
    int length = i2d_PUBKEY(evp(key), &der);
    if (length <= 0)
        return broken(err);
    pem_write("PUBLIC KEY", der, (size_t)length, &pem);
    OPENSSL_free(der);
    return public_key_parse(buf_text(&pem), pem.len, "the key", out, err);
}

/* --- locking --- */

static void write_bytes(struct json_out *w, const char *key, const void *bytes, size_t length)
{
    autobuf text = {0};
    base64_encode(bytes, length, &text);
    json_str(w, key, buf_text(&text));
}

static void write_envelope(const struct envelope *e, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_begin(&w, "kdf", '{');
    json_str(&w, "name", "scrypt");
    json_begin(&w, "params", '{');
    json_i64(&w, "N", e->n);
    json_i64(&w, "r", e->r);
    json_i64(&w, "p", e->p);
    json_end(&w, '}');
    write_bytes(&w, "salt", e->salt.data, e->salt.len);
    json_end(&w, '}');
    json_begin(&w, "cipher", '{');
    json_str(&w, "name", "nacl/secretbox");
    write_bytes(&w, "nonce", e->nonce.data, e->nonce.len);
    json_end(&w, '}');
    write_bytes(&w, "ciphertext", e->text.data, e->text.len);
    json_end(&w, '}');
}

static int fill(struct buf *out, size_t length)
{
    char *room = buf_room(out, length);
    if (getrandom(room, length, 0) != (ssize_t)length)
        return -EIO;
    out->len += length;
    return 0;
}

/* Overwritten and freed by libcrypto. */
static int plain_bytes(const struct private_key *key, struct buf *out)
{
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(evp(key));
    int length = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (length > 0)
        buf_add(out, der, (size_t)length);
    if (der)
        OPENSSL_clear_free(der, length > 0 ? (size_t)length : 0);
    return length > 0 ? 0 : -ENOMEM;
}

int private_key_lock(const struct private_key *key, const char *passphrase, struct buf *out,
                     struct error *err)
{
    unsigned char secret[crypto_secretbox_KEYBYTES];
    struct envelope e
        __attribute__((cleanup(envelope_free))) = {.n = SCRYPT_N, .r = SCRYPT_R, .p = SCRYPT_P};
    autosecretbuf der = {0};
    autobuf json = {0};
    if (plain_bytes(key, &der) < 0 || fill(&e.salt, SALT) < 0 ||
        fill(&e.nonce, crypto_secretbox_NONCEBYTES) < 0)
        return broken(err);
    int rc = derive(passphrase, &e, secret, err);
    if (rc < 0)
        return rc;
    char *room = buf_room(&e.text, der.len + crypto_secretbox_MACBYTES);
    (void)crypto_secretbox_easy((unsigned char *)room, (const unsigned char *)der.data, der.len,
                                (const unsigned char *)e.nonce.data, secret);
    e.text.len = der.len + crypto_secretbox_MACBYTES;
    explicit_bzero(secret, sizeof secret);
    write_envelope(&e, &json);
    pem_write(LOCKED, json.data, json.len, out);
    return 0;
}
