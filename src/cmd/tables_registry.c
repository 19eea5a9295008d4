/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that talk to registries, as data. Carried out by caisson-image. */
#include "cmd/option_groups.h"
#include "cmd/registry_options.h"

static const struct option pull_table[] = {
    {"all-tags", 'a', OPTION_BOOL, offsetof(struct pull_options, all_tags), NULL,
     "Download every tag of the repository"},
    {"platform", 0, OPTION_STRING, offsetof(struct pull_options, platform), "OS/ARCH[/VARIANT]",
     "Which of an image's platforms to take (this machine's)"},
    {"quiet", 'q', OPTION_BOOL, offsetof(struct pull_options, quiet), NULL,
     "Print only the full name"},
    {"policy", 0, OPTION_STRING, offsetof(struct pull_options, when), "WHEN",
     "Ask the registry always (the default), only when no image here has the name, or never",
     .words = (const char *const[]){"always", "missing", "never", NULL}},
    {"for-run", 0, OPTION_BOOL, offsetof(struct pull_options, for_run), NULL,
     "For run: print all but the name on standard error", .flags = OPTION_HIDDEN},
    {"held", 0, OPTION_STRING, offsetof(struct pull_options, held), "DIGEST",
     "For build: take this one, by its digest, and leave the tag as it is", .flags = OPTION_HIDDEN},
    {"signature-policy", 0, OPTION_STRING, offsetof(struct pull_options, signature_policy), "FILE",
     "Let this policy.json say who has to have signed what", .group = "Trust"},
    {"accept-unsigned", 0, OPTION_BOOL, offsetof(struct pull_options, accept_unsigned), NULL,
     "Take an image that was signed when it was last pulled, and is not now", .group = "Trust"},
    {"lock-file", 0, OPTION_STRING, offsetof(struct pull_options, lock_file), "FILE",
     "Hold all images to the digests of this file, and take no others", .group = "Trust"},
    {"no-lock", 0, OPTION_BOOL, offsetof(struct pull_options, no_lock), NULL,
     "Hold none to the caisson.lock of this directory", .group = "Trust"},
    REACH_OPTIONS(pull_options),
    LIMIT_OPTIONS(pull_options),
    {NULL},
};

const struct verb verb_pull = {
    .name = "pull",
    .group = GROUP_IMAGES,
    .alias = "image_pull",
    .arguments = "[NAME[:TAG|@DIGEST] ...]",
    .summary = "Download images from registries",
    .description =
        "Downloads an image: each layer is fetched, verified, decompressed and unpacked in one "
        "go, several at once. A pull that was interrupted goes on where it was. Short names mean "
        "docker.io/library/NAME; registries.conf (mirrors, aliases, blocked and insecure "
        "registries) is honoured where there is one.\n\n"
        "Two processes do it: one that talks to the registry and can reach nothing else, and one "
        "that unpacks and has no network. TLS is always asked for, on loopback as well.\n\n"
        "Who has to have signed an image is what a policy says: $CONTAINERS_POLICY, "
        "~/.config/containers/policy.json or /etc/containers/policy.json, in the format of "
        "containers-policy.json(5); without one, all are accepted. Of its requirements "
        "insecureAcceptAnything, reject and sigstoreSigned with keyPath, keyPaths, keyData or "
        "keyDatas are honoured; images for which it asks for others are refused. Signatures are "
        "looked for as cosign leaves them: under the tag sha256-HEX.sig, and as bundles among the "
        "image's referrers. A bundle names no image: it is accepted where the policy has no "
        "signedIdentity. An image that was signed once has to be signed by the same key when it "
        "is pulled again, whatever the policy accepts; --accept-unsigned ends that.\n\n"
        "Where this directory has a caisson.lock (see caisson lock), what it names is pulled by "
        "the digest there; without a NAME, all that it names.",
    .examples = "caisson pull alpine:3.19\n"
                "# What it is, not what it is called\n"
                "caisson pull alpine@sha256:"
                "6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0\n"
                "# A registry of your own, without TLS\n"
                "caisson pull --tls-verify=false localhost:5000/app",
    .options = pull_table,
    .options_size = sizeof(struct pull_options),
    .least = 0,
    .most = -1,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option push_table[] = {
    {"all-tags", 'a', OPTION_BOOL, offsetof(struct push_options, all_tags), NULL,
     "Push every tag of the repository that is here"},
    {"quiet", 'q', OPTION_BOOL, offsetof(struct push_options, quiet), NULL,
     "Print only the full name"},
    {"compression", 0, OPTION_STRING, offsetof(struct push_options, compression), "FORMAT",
     "Compress layers that are sent with gzip (the default) or zstd",
     .words = (const char *const[]){"gzip", "zstd", NULL}},
    {"compression-level", 0, OPTION_COUNT, offsetof(struct push_options, level), "N",
     "How hard to compress: 1 to 9 for gzip, 1 to 22 for zstd"},
    {"allow-nondistributable", 0, OPTION_BOOL, offsetof(struct push_options, nondistributable),
     NULL, "Push also layers that came as ones that may not be passed on (foreign ones)"},
    {"digestfile", 0, OPTION_STRING, offsetof(struct push_options, digest_file), "FILE",
     "Write the manifest's digest to this file"},
    REACH_OPTIONS(push_options),
    {NULL},
};

const struct verb verb_push = {
    .name = "push",
    .group = GROUP_IMAGES,
    .alias = "image_push",
    .arguments = "NAME[:TAG]",
    .summary = "Upload an image to a registry",
    .description =
        "Uploads an image to the registry that its name begins with. Layers that the registry has "
        "are not sent, those that another of its repositories has are mounted from there, the "
        "others are compressed and sent in one pass, several at once. An image that was pulled "
        "keeps its digest where the registry has all of its layers as they were.",
    .examples = "caisson tag app registry.example.com/team/app:1.0\n"
                "caisson push registry.example.com/team/app:1.0\n"
                "# Smaller and faster to unpack, for registries and engines since 2022\n"
                "caisson push --compression zstd localhost:5000/app",
    .options = push_table,
    .options_size = sizeof(struct push_options),
    .least = 1,
    .most = 1,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option manifest_inspect_table[] = {
    {"raw", 0, OPTION_BOOL, offsetof(struct manifest_inspect_options, raw), NULL,
     "Print it byte for byte as the registry has it"},
    {"verbose", 'v', OPTION_BOOL, offsetof(struct manifest_inspect_options, verbose), NULL,
     "Print also its digest, type and size"},
    {"digest", 0, OPTION_BOOL, offsetof(struct manifest_inspect_options, digest), NULL,
     "Print its digest only"},
    REACH_OPTIONS(manifest_inspect_options),
    {NULL},
};

const struct verb verb_manifest_inspect = {
    .name = "manifest inspect",
    .group = GROUP_IMAGES,
    .arguments = "NAME[:TAG|@DIGEST]",
    .summary = "Show a registry's manifest or index, as JSON",
    .description = "Asks the registry what a name means there, and downloads nothing else. The "
                   "document is held against its digest.",
    .examples = "caisson manifest inspect alpine:3.19\n"
                "caisson manifest inspect --digest localhost:5000/app",
    .options = manifest_inspect_table,
    .options_size = sizeof(struct manifest_inspect_options),
    .least = 1,
    .most = 1,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option search_table[] = {
    {"limit", 0, OPTION_COUNT, offsetof(struct search_options, limit), "N",
     "Show at most so many (25)"},
    {"no-trunc", 0, OPTION_BOOL, offsetof(struct search_options, no_trunc), NULL,
     "Show whole descriptions"},
    {"format", 0, OPTION_STRING, offsetof(struct search_options, format), "FORMAT",
     "Print as table, as json, or by a Go template such as '{{.Name}}'"},
    REACH_OPTIONS(search_options),
    {NULL},
};

const struct verb verb_search = {
    .name = "search",
    .group = GROUP_IMAGES,
    .arguments = "[REGISTRY/]TERM",
    .summary = "Look for images in a registry",
    .description =
        "Without REGISTRY, Docker's index is asked. Of other registries the repositories "
        "with TERM in their names are shown, where the registry lists them at all.",
    .examples = "caisson search nginx\n"
                "caisson search --format '{{.Name}}' localhost:5000/app",
    .options = search_table,
    .options_size = sizeof(struct search_options),
    .least = 1,
    .most = 1,
    .program = "caisson-image",
};

static const struct option login_table[] = {
    {"username", 'u', OPTION_STRING, offsetof(struct login_options, user), "USER", "User"},
    {"password-stdin", 0, OPTION_BOOL, offsetof(struct login_options, password_stdin), NULL,
     "Read the password from standard input"},
    {"password", 'p', OPTION_STRING, offsetof(struct login_options, password), "PASSWORD",
     "Password (others can see it in the list of processes: prefer --password-stdin)"},
    {"tls-verify", 0, OPTION_TRISTATE, offsetof(struct login_options, reach.tls_verify), NULL,
     "Want TLS with a certificate that can be trusted (as registries.conf says, else yes)"},
    {"authfile", 0, OPTION_STRING, offsetof(struct login_options, reach.authfile), "FILE",
     "Keep user and password in this file"},
    {NULL},
};

const struct verb verb_login = {
    .name = "login",
    .group = GROUP_IMAGES,
    .arguments = "[REGISTRY]",
    .summary = "Sign in to a registry",
    .description =
        "Asks for a user and a password, sees whether the registry takes them, and keeps them: "
        "with the credential helper that Docker's configuration names, or else in "
        "$XDG_RUNTIME_DIR/containers/auth.json, which does not outlive the session. For longer, "
        "name a file with --authfile, such as ~/.config/containers/auth.json. Without REGISTRY, "
        "it is docker.io.\n\n"
        "Files in a home directory that belongs to somebody else are neither read nor written: "
        "root's "
        "commands would take their word for who is to be trusted.",
    .examples = "caisson login -u ada\n"
                "pass show registry | caisson login -u ada --password-stdin registry.example.com",
    .options = login_table,
    .options_size = sizeof(struct login_options),
    .most = 1,
    .program = "caisson-image",
};

static const struct option logout_table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct logout_options, all), NULL,
     "Forget every registry of the file"},
    {"authfile", 0, OPTION_STRING, offsetof(struct logout_options, authfile), "FILE",
     "Take them out of this file"},
    {NULL},
};

const struct verb verb_logout = {
    .name = "logout",
    .group = GROUP_IMAGES,
    .arguments = "[REGISTRY]",
    .summary = "Forget the password of a registry",
    .description = "Takes user and password out of all files and helpers in which login and other "
                   "tools keep them. Without REGISTRY, those of docker.io.",
    .examples = "caisson logout registry.example.com\n"
                "caisson logout --all",
    .options = logout_table,
    .options_size = sizeof(struct logout_options),
    .most = 1,
    .program = "caisson-image",
};
