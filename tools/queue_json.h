// QueueJson: lines of a listing in the words of the protocol (docs/control-protocol.md).
//
// Written by hand, not through a tree of JSON values: a listing may have a million of them.
#ifndef OUTBOX_TOOLS_QUEUE_JSON_H_
#define OUTBOX_TOOLS_QUEUE_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "queue/queue_line.h"

namespace outbox::tools {

// Appends `text` as a JSON string. What is no UTF-8 becomes U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);

// Appends one line with its LF: the id, then the other columns that are asked for.
void AppendQueueLine(const queue::QueueLine& line, queue::QueueColumns columns, std::string* out);

// All columns.
nlohmann::json QueueLineJson(const queue::QueueLine& line);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_QUEUE_JSON_H_
