#include "stepwise/cli/man_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string_view>

namespace stepwise {
namespace {

/// Text that troff prints as it stands: no requests, no typographic quotes, hyphens that can be copied.
std::string escaped(std::string_view text) {
  std::string result;
  if (text.starts_with('.') || text.starts_with('\'')) result = "\\&";
  for (const char c : text) {
    switch (c) {
      case '\\':
        result += "\\(rs";
        break;
      case '-':
        result += "\\-";
        break;
      case '\'':
        result += "\\(aq";
        break;
      case '`':
        result += "\\(ga";
        break;
      case '^':
        result += "\\(ha";
        break;
      case '~':
        result += "\\(ti";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// Paragraphs of prose; what is indented is an example, shown as it stands.
std::string prose(const std::string& text) {
  std::istringstream lines(text);
  std::string page;
  bool example = false;
  for (std::string line; std::getline(lines, line);) {
    const bool indented = line.starts_with(' ');
    if (indented != example && !line.empty()) {
      page += indented ? ".PP\n.RS 4\n.EX\n" : ".EE\n.RE\n.PP\n";
      example = indented;
    }
    if (line.empty()) {
      page += example ? "" : ".PP\n";
    } else {
      page += escaped(indented ? line.substr(std::min(line.size(), std::size_t{2})) : line) + "\n";
    }
  }
  return page + (example ? ".EE\n.RE\n" : "");
}

std::string entry(const Option& option) {
  const std::string value = value_name(option);
  return fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", escaped("--" + option.name),
                     value.empty() ? "" : " \\fI" + escaped(value) + "\\fR", escaped(help_with_default(option)));
}

/// The entries of one section of a command.
std::string section_entries(const CommandText& command, const std::string& section) {
  std::string page;
  for (const Option& option : command.options) {
    if (section_of(option.name) == section) page += entry(option);
  }
  return page;
}

/// The settings of a command; sections that are those of an earlier command are only named.
std::string settings(const ProgramText& program, std::size_t index) {
  const CommandText& command = program.commands[index];
  std::string page;
  std::vector<std::string> done;
  for (const Option& option : command.options) {
    const std::string section = section_of(option.name);
    if (std::ranges::find(done, section) != done.end()) continue;
    done.push_back(section);
    const auto title = program.sections.find(section);
    const std::string words = title == program.sections.end() ? "" : title->second;
    const std::string heading = section.empty() ? (words.empty() ? "General" : words)
                                                : fmt::format("[{}]{}{}", section, words.empty() ? "" : " ", words);
    const std::string entries = section_entries(command, section);
    const auto earlier =
        std::find_if(program.commands.begin(), program.commands.begin() + static_cast<std::ptrdiff_t>(index),
                     [&](const CommandText& other) { return section_entries(other, section) == entries; });
    page += fmt::format(".SS \"{}\"\n", escaped(heading));
    page += earlier->name == command.name ? entries : fmt::format("As of stepwise {}.\n", escaped(earlier->name));
  }
  return page;
}

constexpr const char* synopsis = R"(.SH SYNOPSIS
\fBstepwise\fR \fICOMMAND\fR [\fIFILE\fR]... [\fB\-\-\fISETTING VALUE\fR]...
.br
\fBmpirun \-n\fR \fIRANKS\fR \fBstepwise\fR \fICOMMAND\fR [\fB\-\-\fISETTING VALUE\fR]...
.br
\fBstepwise completion bash\fR|\fBzsh\fR
.br
\fBstepwise man\fR
.br
\fBstepwise \-\-version\fR
)";

constexpr const char* ending = R"(.SH CONFIGURATION FILES
The settings have the same names in an INI file, which \fB\-\-config\fR \fIFILE\fR reads: \fB\-\-kernel.type ntk\fR is
the line \fBtype = ntk\fR below \fB[kernel]\fR. A # or ; begins a comment at the beginning of a line or after white
space; a value may stand between double quotes. \fB\-\-print\-config\fR writes a complete file, and every result holds
the one that made it, as its attribute \fIconfiguration\fR.
.SH EXIT STATUS
.TP
\fB0\fR
done
.TP
\fB1\fR
verify: something does not hold
.TP
\fB2\fR
usage, configuration or input, also an output that exists already
.TP
\fB3\fR
reading or writing failed
.TP
\fB4\fR
a numerical check failed
.TP
\fB5\fR
not enough memory
.TP
\fB70\fR
a bug
.TP
\fB75\fR
stopped early, can be resumed
)";

}  // namespace

std::string man_page(const ProgramText& program, const std::string& version) {
  std::string page = fmt::format(".TH STEPWISE 1 \"\" \"{}\" \"User Commands\"\n", escaped(version));
  page += fmt::format(".SH NAME\nstepwise \\- {}\n{}", escaped(program.about), synopsis);
  page += ".SH COMMANDS\n";
  for (const CommandText& command : program.commands) {
    page += fmt::format(".TP\n\\fB{}\\fR\n{}\n", escaped(command.name), escaped(command.summary));
  }
  page += ".PP\nEvery command also takes\n";
  for (const Option& option : standing_options()) page += entry(option);
  for (std::size_t i = 0; i < program.commands.size(); ++i) {
    page += fmt::format(".SH \"STEPWISE {}\"\n{}", escaped(upper(program.commands[i].name)),
                        prose(program.commands[i].usage));
    page += settings(program, i);
  }
  return page + ending;
}

}  // namespace stepwise
