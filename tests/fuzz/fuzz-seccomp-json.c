/* SPDX-License-Identifier: Apache-2.0 */
/* A profile from a user: whatever it is, it is refused with a sentence or becomes a program that
 * the kernel would take. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "runtime/caps.h"
#include "runtime/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seccomp_program program;
    struct error err = {0};
    int rc =
        seccomp_from_json((const char *)data, size, "fuzz", CAPS_PODMAN_DEFAULT, &program, &err);
    if (rc < 0) {
        if (err.text[0] == '\0' || err.code != rc)
            abort();
        return 0;
    }
    if (!seccomp_program_valid(program.code, program.count))
        abort();
    seccomp_program_free(&program);
    return 0;
}
