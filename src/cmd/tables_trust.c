/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs about signatures, as data. Carried out by caisson-image. */
#include "cmd/option_groups.h"
#include "cmd/registry_options.h"

static const struct option sign_table[] = {
    {"key", 'k', OPTION_STRING, offsetof(struct sign_options, key), "FILE",
     "Sign with this private key"},
    {"passphrase-file", 0, OPTION_STRING, offsetof(struct sign_options, passphrase_file), "FILE",
     "Read the key's passphrase from the first line of this file"},
    {"identity", 0, OPTION_STRING, offsetof(struct sign_options, identity), "NAME",
     "Sign it as this name (the image's own, with its tag or digest)"},
    {"bundle", 0, OPTION_BOOL, offsetof(struct sign_options, bundle), NULL,
     "Write a sigstore bundle that refers to the image, as cosign 3 does"},
    REACH_OPTIONS(sign_options),
    {NULL},
};

const struct verb verb_image_sign = {
    .name = "image sign",
    .group = GROUP_IMAGES,
    .arguments = "NAME[:TAG|@DIGEST] [NAME...]",
    .summary = "Sign an image in a registry",
    .description =
        "Puts a signature beside an image in its registry: as cosign 2, Podman and Skopeo do, "
        "under the tag sha256-HEX.sig, beside the signatures that are there; with --bundle as "
        "cosign 3 does, as a sigstore bundle that refers to the image. What is signed is the "
        "digest that the registry has under the name, which is printed, and the name; give the "
        "digest where the registry is not to be believed.\n\n"
        "The key is a file of cosign's, whose passphrase is in $COSIGN_PASSWORD or in a file or is "
        "asked for, or a plain one (PKCS #8); ECDSA on P-256 or Ed25519. A process of its own "
        "holds it, which reads nothing that a registry sends. Nothing is written into a public "
        "log: for cosign, verify with --insecure-ignore-tlog.",
    .examples = "caisson image keygen team\n"
                "caisson image sign --key team.key registry.example.com/team/app:1.0\n"
                "# In a pipeline\n"
                "COSIGN_PASSWORD=… caisson image sign --key team.key "
                "registry.example.com/team/app@sha256:"
                "6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0",
    .options = sign_table,
    .options_size = sizeof(struct sign_options),
    .least = 1,
    .most = 64,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option verify_table[] = {
    {"key", 'k', OPTION_LIST, offsetof(struct verify_options, keys), "FILE",
     "Want a signature by this public key, or by another one named so"},
    {"signature-policy", 0, OPTION_STRING, offsetof(struct verify_options, signature_policy),
     "FILE", "Let this policy.json say who has to have signed"},
    REACH_OPTIONS(verify_options),
    {NULL},
};

const struct verb verb_image_verify = {
    .name = "image verify",
    .group = GROUP_IMAGES,
    .arguments = "NAME[:TAG|@DIGEST]",
    .summary = "Verify the signature of an image in a registry",
    .description =
        "Looks for a signature of what a registry has under a name, as 'caisson pull' does, and "
        "fetches nothing else. With --key it has to be by that key and for the same repository; "
        "else the policy that pull would take says by whom and for what. The digest and the key "
        "are printed; the status is 1 where nothing could be verified.",
    .examples = "caisson image verify --key team.pub registry.example.com/team/app:1.0\n"
                "# What the policy says\n"
                "caisson image verify registry.example.com/team/app:1.0",
    .options = verify_table,
    .options_size = sizeof(struct verify_options),
    .least = 1,
    .most = 1,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option keygen_table[] = {
    {"type", 't', OPTION_STRING, offsetof(struct keygen_options, type), "TYPE",
     "Make a key for ecdsa (P-256, the default) or ed25519",
     .words = (const char *const[]){"ecdsa", "ed25519", NULL}},
    {"passphrase-file", 0, OPTION_STRING, offsetof(struct keygen_options, passphrase_file), "FILE",
     "Read the passphrase from the first line of this file"},
    {NULL},
};

const struct verb verb_image_keygen = {
    .name = "image keygen",
    .group = GROUP_IMAGES,
    .arguments = "PREFIX",
    .summary = "Make a pair of keys for signing images",
    .description =
        "Writes a private key to PREFIX.key, locked with a passphrase, and the public one to "
        "PREFIX.pub, as 'cosign generate-key-pair' does; cosign, Podman and Skopeo take them. The "
        "passphrase is in $COSIGN_PASSWORD or in a file, or is asked for. Files that are there "
        "are not written over.",
    .examples = "caisson image keygen team",
    .options = keygen_table,
    .options_size = sizeof(struct keygen_options),
    .least = 1,
    .most = 1,
    .program = "caisson-image",
    .completes = "file",
    .stateless = true,
};
