// [local] of the configuration: whose mail is ours, where its mailboxes are.
#ifndef OUTBOX_CORE_CONFIG_LOCAL_H_
#define OUTBOX_CORE_CONFIG_LOCAL_H_

#include "core/config.h"
#include "core/config_reader.h"

namespace outbox::core {

// Reads every key of [local] but those that routes have as well, into config->local.
void ReadLocalKeys(ConfigReader* reader, Config* config, ConfigProblems* problems);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_CONFIG_LOCAL_H_
