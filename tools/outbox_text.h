// Words and numbers as `outbox` prints them, and when it may use colours.
#ifndef OUTBOX_TOOLS_OUTBOX_TEXT_H_
#define OUTBOX_TOOLS_OUTBOX_TEXT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace outbox::tools {

// "1h02m", two units at most.
std::string FormatDuration(double seconds);
// "3.0 MiB".
std::string FormatBytes(double bytes);
// "1,234,567".
std::string FormatCount(int64_t number);
// "1 recipient", "2 recipients".
std::string Counted(int64_t count, const char* one, const char* many);

// Members of an answer; empty and 0 when they are not there.
std::string TextOf(const nlohmann::json& from, const char* name);
int64_t NumberOf(const nlohmann::json& from, const char* name);

// Without control characters: a terminal must not obey a peer.
std::string Harmless(std::string text);
// The same in place, from this octet on.
void MakeHarmless(std::string* text, size_t from);

// Standard output is a terminal that takes colours, and nobody has set NO_COLOR.
bool UseColours();
inline constexpr char kBold[] = "\x1b[1m";
inline constexpr char kPlain[] = "\x1b[0m";
// The colour of a recipient's state; empty for none.
const char* ColourOfState(const std::string& state);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_OUTBOX_TEXT_H_
