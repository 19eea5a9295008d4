/* SPDX-License-Identifier: Apache-2.0 */
/* The worker for images: what reads archives, and what needs libraries for it. */
#include "cmd/image_worker.h"
#include "cmd/registry_worker.h"
#include "cmd/trust_worker.h"

static const struct verb_binding bindings[] = {
    {&verb_pull, command_pull},
    {&verb_push, command_push},
    {&verb_manifest_inspect, command_manifest_inspect},
    {&verb_search, command_search},
    {&verb_login, command_login},
    {&verb_logout, command_logout},
    {&verb_image_sign, command_image_sign},
    {&verb_image_verify, command_image_verify},
    {&verb_image_keygen, command_image_keygen},
    {&verb_import, command_import},
    {&verb_load, command_load},
    {&verb_save, command_save},
    {&verb_images, command_images},
    {&verb_image_inspect, command_image_inspect},
    {&verb_history, command_history},
    {&verb_rmi, command_rmi},
    {&verb_image_prune, command_image_prune},
    {&verb_tag, command_tag},
    {&verb_bootstrap, command_bootstrap},
    {&verb_commit_layer, command_commit_layer},
    {&verb_decompress, command_decompress},
    {&verb_make_layer, command_make_layer},
    {&verb_cache, command_cache},
    {&verb_publish, command_publish},
    {&verb_builder_prune, command_builder_prune},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return verb_main(argc, argv, bindings, NULL);
}
