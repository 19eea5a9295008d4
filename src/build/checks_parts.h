/* SPDX-License-Identifier: Apache-2.0 */
/* What the files checks*.c share. */
#ifndef CAISSON_BUILD_CHECKS_PARTS_H
#define CAISSON_BUILD_CHECKS_PARTS_H

#include "build/checks.h"
#include "build/expand.h"
#include "build/scope.h"

/* In the order of the table. */
enum rule {
    RULE_STAGE_NAME_CASING,
    RULE_FROM_AS_CASING,
    RULE_NO_EMPTY_CONTINUATION,
    RULE_CONSISTENT_INSTRUCTION_CASING,
    RULE_DUPLICATE_STAGE_NAME,
    RULE_RESERVED_STAGE_NAME,
    RULE_JSON_ARGS_RECOMMENDED,
    RULE_MAINTAINER_DEPRECATED,
    RULE_UNDEFINED_ARG_IN_FROM,
    RULE_WORKDIR_RELATIVE_PATH,
    RULE_UNDEFINED_VAR,
    RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED,
    RULE_LEGACY_KEY_VALUE_FORMAT,
    RULE_INVALID_BASE_IMAGE_PLATFORM,
    RULE_REDUNDANT_TARGET_PLATFORM,
    RULE_SECRETS_USED_IN_ARG_OR_ENV,
    RULE_INVALID_DEFAULT_ARG_IN_FROM,
    RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED,
    RULE_COPY_IGNORED_FILE,
    RULE_INVALID_DEFINITION_DESCRIPTION,
    RULE_EXPOSE_PROTO_CASING,
    RULE_EXPOSE_INVALID_FORMAT,
    RULE_ROOT_USER,
    RULE_UNPINNED_BASE,
    RULE_PIPED_DOWNLOAD,
    RULE_ADD_WITHOUT_CHECKSUM,
    RULE_INSECURE_RUN,
    RULE_SECRET_IN_RUN,
};

/* What is carried from one instruction of a stage to the next. */
struct stage_state {
    struct scope scope;
    bool shell;                                              /* SHELL was said */
    bool workdir;                                            /* an absolute WORKDIR was said */
    const struct instruction *command, *entrypoint, *health; /* the last of each */
};

struct checking {
    const struct check_request *request;
    const struct dockerfile *file;
    struct scope globals, defaults; /* with and without build arguments */
    struct stage_state *stages;
    size_t stage;   /* that is being read */
    size_t guesses; /* what a variable may have meant */
    size_t left;    /* bytes that values may still take */
    struct findings *out;
};

void report(struct findings *out, enum rule rule, struct place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* From here on it is about this instruction, with what the comment above it leaves out. */
void begin_instruction(struct checking *c, const struct instruction *instruction);
/* FROM: names, platforms, images. */
void check_from(struct checking *c);
/* The instructions of a stage, before their variables are taken into its scope. */
void check_instruction(struct checking *c, const struct instruction *instruction);
/* An ARG before the first FROM. */
void check_global(struct checking *c, const struct instruction *instruction);
/* The comment right above a stage or an ARG. */
void check_comment(struct checking *c, const struct instruction *instruction);
/* The text of a RUN. */
void check_run(struct checking *c, const struct instruction *instruction);

#endif
