/* SPDX-License-Identifier: Apache-2.0 */
#include "container/verdict.h"

#include <stdint.h>
#include <string.h>

#include "base/io.h"

struct verdict {
    int32_t code, exit_code;
    char text[sizeof((struct error *)NULL)->text];
};

void verdict_send(int pipe, int code, int exit_code, const struct error *err)
{
    struct verdict verdict = {.code = code, .exit_code = exit_code};
    memcpy(verdict.text, err->text, sizeof verdict.text);
    (void)write_all(pipe, &verdict, sizeof verdict);
}

int verdict_receive(int pipe, int *exit_code, struct error *err)
{
    struct verdict verdict;
    if (read_full(pipe, &verdict, sizeof verdict) != (ssize_t)sizeof verdict)
        return -ECHILD;
    if (verdict.code == 0)
        return 0;
    verdict.text[sizeof verdict.text - 1] = '\0';
    *exit_code = verdict.exit_code;
    return error_set(err, verdict.code, "%s", verdict.text);
}
