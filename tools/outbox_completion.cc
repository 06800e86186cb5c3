// `outbox completion`: scripts for shells, made from the commands and options themselves, so that
// none is forgotten.
#include <set>
#include <string>
#include <vector>

#include "tools/doctor/doctor.h"
#include "tools/outbox_options.h"

namespace outbox::tools {
namespace {

constexpr char kStates[] = "unrouted resolving ready sending deferred delayed held purged";

std::string Words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// What may stand behind an option; empty: anything.
std::string ValuesOf(const std::string& option) {
  if (option == "--state") return kStates;
  if (option == "--columns") return Words(QueueColumnNames());
  if (option == "--by") return Words(QueueGroupNames());
  if (option == "--only") return "dns system " + Words(DoctorGroups());
  if (option == "--sort") {
    std::string text;
    for (const std::string& name : QueueColumnNames()) text += name + " " + name + ":desc ";
    return text;
  }
  return "";
}

std::vector<std::string> OptionsOf(const CLI::App& app) {
  std::vector<std::string> options;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  }
  return options;
}

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// Options behind which stands a word that nobody can guess, of all commands.
std::string FreeOptions(const CLI::App& app) {
  std::set<std::string> names;
  std::vector<const CLI::App*> apps = {&app};
  for (size_t i = 0; i < apps.size(); ++i) {
    for (const CLI::App* command : CommandsOf(*apps[i])) apps.push_back(command);
    for (const CLI::Option* option : apps[i]->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        if (option->get_items_expected_max() > 0 && ValuesOf("--" + name).empty()) {
          names.insert("--" + name);
        }
      }
    }
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : "|") + name;
  return text;
}

// In single quotes of a shell.
std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string BashScript(const CLI::App& app) {
  std::string names;
  std::string cases;
  std::string nouns;  // commands that have commands
  const auto add_case = [&cases](const std::string& name, const std::string& words) {
    cases += "    " + Quoted(name) + ") words=" + Quoted(words) + " ;;\n";
  };
  for (const CLI::App* command : CommandsOf(app)) {
    const std::string& name = command->get_name();
    names += (names.empty() ? "" : " ") + name;
    std::string verbs;
    for (const CLI::App* verb : CommandsOf(*command)) {
      verbs += verb->get_name() + " ";
      add_case(name + " " + verb->get_name(), Words(OptionsOf(*verb)));
    }
    add_case(name, verbs + Words(OptionsOf(*command)));
    if (!verbs.empty()) nouns += (nouns.empty() ? "" : "|") + name;
  }
  std::string values;
  for (const char* const option : {"--state", "--columns", "--by", "--sort", "--only"}) {
    values += "    " + std::string(option) + ") words=" + Quoted(ValuesOf(option)) + " ;;\n";
  }
  return "# Completion of outbox(1) for bash: source it, or put it among bash-completion's files.\n"
         "_outbox() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  local command='' words='' i\n"
         "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
         "    case ${COMP_WORDS[i]} in\n"
         "    --control) ((++i)) ;;\n"
         "    -*) ;;\n"
         "    *) command+=${command:+ }${COMP_WORDS[i]} ;;\n"
         "    esac\n"
         "    case $command in ''|" +
         nouns +
         ") ;; *) break ;; esac\n"
         "  done\n"
         "  case $before in\n" +
         values +
         "    --control|--config|--log|--out) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
         "    " +
         FreeOptions(app) +
         ") COMPREPLY=(); return ;;\n"
         "  esac\n"
         "  if [[ -n $words ]]; then\n"
         "    # Several values are parted by commas: the last one is completed.\n"
         "    local start=''\n"
         "    [[ $word == *,* ]] && start=${word%,*},\n"
         "    COMPREPLY=($(compgen -P \"$start\" -W \"$words\" -- \"${word##*,}\"))\n"
         "    return\n"
         "  fi\n"
         "  case $command in\n"
         "    '') words=" +
         Quoted(names + " " + Words(OptionsOf(app))) + " ;;\n" + cases +
         "  esac\n"
         "  [[ $command == completion ]] && words+=' bash zsh'\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "}\n"
         "complete -F _outbox outbox\n";
}

// Of _arguments: no colon or bracket of ours.
std::string ZshText(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':') out += '\\';
    out += c;
  }
  return out;
}

std::string ZshOptions(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      std::string spec = "--" + name + "[" + ZshText(option->get_description()) + "]";
      const std::string values = ValuesOf("--" + name);
      if (name == "control" || name == "config" || name == "log" || name == "out") {
        spec += ":file:_files";
      } else if (name == "sort") {  // its values have colons
        spec += ":value:";
      } else if (name == "by") {
        spec += ":value:(" + values + ")";
      } else if (!values.empty()) {  // several, parted by commas
        spec += ":value:_values -s , value " + values;
      } else if (option->get_items_expected_max() > 0) {
        spec += ":value:";
      }
      out += " \\\n      " + Quoted(spec);
    }
  }
  return out;
}

std::string ZshScript(const CLI::App& app) {
  std::string commands;
  std::string cases;
  for (const CLI::App* command : CommandsOf(app)) {
    commands += "    " +
                Quoted(command->get_name() + ":" + ZshText(command->get_description())) + "\n";
    cases += "    " + command->get_name() + ")\n";
    std::string verbs;
    for (const CLI::App* verb : CommandsOf(*command)) {
      verbs += (verbs.empty() ? "" : " ") + verb->get_name();
      cases += "      if [[ $CURRENT -gt 2 && $words[2] == " + verb->get_name() +
               " ]]; then\n      shift words; ((--CURRENT))\n      _arguments" +
               ZshOptions(*verb) + "\n      return\n      fi\n";
    }
    if (command->get_name() == "completion") verbs = "bash zsh";
    cases += "      _arguments" + ZshOptions(*command) +
             (verbs.empty() ? "" : " \\\n      " + Quoted("1:what:(" + verbs + ")")) +
             "\n      ;;\n";
  }
  return "#compdef outbox\n"
         "# Completion of outbox(1) for zsh: a file _outbox in a folder of $fpath.\n"
         "_outbox() {\n"
         "  local curcontext=$curcontext state line\n"
         "  local -a commands=(\n" +
         commands +
         "  )\n"
         "  _arguments -C" +
         ZshOptions(app) +
         " \\\n      '1:command:->command' '*::argument:->argument'\n"
         "  case $state in\n"
         "    command) _describe command commands ;;\n"
         "    argument)\n"
         "    case $line[1] in\n" +
         cases +
         "    esac\n"
         "    ;;\n"
         "  esac\n"
         "}\n"
         "if [[ $funcstack[1] == _outbox ]]; then _outbox \"$@\"\n"
         "else compdef _outbox outbox; fi\n";
}

}  // namespace

std::string CompletionScript(const CLI::App& app, const std::string& shell) {
  return shell == "zsh" ? ZshScript(app) : BashScript(app);
}

}  // namespace outbox::tools
