/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads, statements and bundles; of a bundle, what is in it. The first byte says which. */
#include <stdint.h>
#include <stdlib.h>

#include "registry/signature.h"

#define DIGEST "sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int rc, const struct claim *claim, const struct error *err)
{
    if (rc == 0 ? !digest_valid(claim->digest) : !err->text[0])
        abort();
}

static void parse_statement(const char *text, size_t length)
{
    autoclaim claim = {0};
    struct error err = {0};
    check(statement_parse(text, length, DIGEST, &claim, &err), &claim, &err);
}

static void parse_bundle(const char *text, size_t length)
{
    autosignature signature = {0};
    autobuf message = {0};
    struct error err = {0};
    if (signature_bundle_parse(text, length, &signature, &err) < 0)
        return;
    if (signature.form == FORM_MANIFEST && !digest_valid(signature.digest))
        abort();
    signature_message(&signature, &message);
    if (signature.form == FORM_STATEMENT)
        parse_statement(buf_text(&signature.claim), signature.claim.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autoclaim claim = {0};
    struct error err = {0};
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    if (data[0] == 'p')
        check(payload_parse(text, size - 1, &claim, &err), &claim, &err);
    else if (data[0] == 's')
        parse_statement(text, size - 1);
    else
        parse_bundle(text, size - 1);
    return 0;
}
