#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "stepwise/cli/placement.hpp"

namespace stepwise {
namespace {

struct Node {
  std::string host;
  std::vector<const RankPlace*> ranks;
  std::set<int> cores;  // that one of them may use
  int threads = 0;      // of all
};

/// In the order of their first ranks.
std::vector<Node> nodes_of(const std::vector<RankPlace>& ranks) {
  std::vector<Node> nodes;
  std::map<std::string, std::size_t> number;
  for (const RankPlace& rank : ranks) {
    const auto [place, fresh] = number.emplace(rank.host, nodes.size());
    if (fresh) nodes.push_back({rank.host, {}, {}, 0});
    Node& node = nodes[place->second];
    node.ranks.push_back(&rank);
    node.cores.insert(rank.cores.begin(), rank.cores.end());
    node.threads += rank.threads;
  }
  return nodes;
}

std::string counted(std::size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// Two of its ranks may use the same core.
bool cores_overlap(const Node& node) {
  std::size_t together = 0;
  for (const RankPlace* rank : node.ranks) together += rank->cores.size();
  return together > node.cores.size();
}

std::string and_others(std::size_t nodes) {
  return nodes > 1 ? fmt::format(" (and {} other nodes are like it)", nodes - 1) : "";
}

/// One warning for the first node of each kind.
void warn_of_cores(const Placement& placement, std::vector<std::string>& warnings) {
  std::vector<Node> crowded;
  std::vector<Node> loose;
  for (Node& node : nodes_of(placement.ranks)) {
    if (static_cast<std::size_t>(node.threads) > node.cores.size()) {
      crowded.push_back(std::move(node));
    } else if (node.ranks.size() > 1 && cores_overlap(node)) {
      loose.push_back(std::move(node));
    }
  }
  if (!crowded.empty()) {
    const Node& node = crowded.front();
    const bool ranks_alone = node.ranks.size() > node.cores.size();
    const std::string cause = ranks_alone                 ? "start fewer ranks"
                              : placement.foreign_threads ? "set OPENBLAS_NUM_THREADS=1, or link the OpenMP build"
                              : placement.user_threads    ? "lower OMP_NUM_THREADS, or leave it unset"
                                                          : "give each rank more cores";
    warnings.push_back(fmt::format("{}: {} with {} in all on {}, which may be many times slower; {}{}", node.host,
                                   counted(node.ranks.size(), "rank"),
                                   counted(static_cast<std::size_t>(node.threads), "thread"),
                                   counted(node.cores.size(), "core"), cause, and_others(crowded.size())));
  }
  if (!loose.empty()) {
    const Node& node = loose.front();
    warnings.push_back(
        fmt::format("{}: {} share {} without being bound to their own; mpirun --map-by slot:PE={} --bind-to "
                    "core, or srun --cpu-bind=cores{}",
                    node.host, counted(node.ranks.size(), "rank"), counted(node.cores.size(), "core"),
                    std::max(1, node.ranks.front()->threads), and_others(loose.size())));
  }
}

/// A rank with more threads than cores of its own, on a node that has enough.
void warn_of_narrow_ranks(const Placement& placement, std::vector<std::string>& warnings) {
  const auto nodes = nodes_of(placement.ranks);
  for (std::size_t r = 0; r < placement.ranks.size(); ++r) {
    const RankPlace& rank = placement.ranks[r];
    const auto node = std::find_if(nodes.begin(), nodes.end(), [&](const Node& n) { return n.host == rank.host; });
    if (static_cast<std::size_t>(rank.threads) <= rank.cores.size()) continue;
    if (static_cast<std::size_t>(node->threads) > node->cores.size()) continue;  // said already
    warnings.push_back(
        fmt::format("rank {} has {} on {}: bind it to as many cores, mpirun --map-by slot:PE={} or srun "
                    "--cpus-per-task={}",
                    r, counted(static_cast<std::size_t>(rank.threads), "thread"), counted(rank.cores.size(), "core"),
                    rank.threads, rank.threads));
    return;
  }
}

/// The Fortran reference implementation, by its file: libblas of a directory that names no other.
bool is_reference_blas(const std::string& file) {
  if (file.find("libblas") == std::string::npos) return false;
  constexpr std::array<const char*, 7> tuned{"openblas", "mkl", "blis", "atlas", "flexiblas", "essl", "armpl"};
  return std::none_of(tuned.begin(), tuned.end(), [&](const char* name) { return file.find(name) != file.npos; });
}

void warn_of_blas(const Placement& placement, std::vector<std::string>& warnings) {
  constexpr double slow = 3e9;  // FLOP/s of a thread; a tuned BLAS does ten times as many
  const int threads = placement.ranks.empty() ? 1 : placement.ranks.front().threads;
  if (is_reference_blas(placement.blas)) {
    warnings.push_back(
        fmt::format("{} is the reference BLAS, ten times slower than OpenBLAS: install the latter "
                    "(libopenblas-openmp-dev), or point LD_LIBRARY_PATH to it",
                    placement.blas));
  } else if (placement.dgemm && placement.dgemm->least / threads < slow) {
    warnings.push_back(
        fmt::format("DGEMM does {:.1f} GFLOP/s on a rank of {}: the BLAS is a slow one, or others use "
                    "the same cores",
                    placement.dgemm->least / 1e9, counted(static_cast<std::size_t>(threads), "thread")));
  }
  if (placement.ignored_variable) {
    warnings.emplace_back("OPENBLAS_NUM_THREADS is ignored by this build of OpenBLAS; set OMP_NUM_THREADS, or nothing");
  }
}

void warn_of_grid(const GridShape& grid, std::vector<std::string>& warnings) {
  constexpr int harmless = 3;
  const int ranks = grid.rows * grid.cols;
  if (std::min(grid.rows, grid.cols) > 1 || ranks <= harmless) return;
  const GridShape less = nearly_square(ranks - 1);
  const bool is_prime = std::min(nearly_square(ranks).rows, nearly_square(ranks).cols) == 1;
  warnings.push_back(
      is_prime
          ? fmt::format("{} ranks make a {} x {} process grid, on which direct methods are slow: {} ranks make {} x {}",
                        ranks, grid.rows, grid.cols, ranks - 1, less.rows, less.cols)
          : fmt::format("on a {} x {} process grid direct methods are slow: --solver.grid auto is {} x {}", grid.rows,
                        grid.cols, nearly_square(ranks).rows, nearly_square(ranks).cols));
}

/// "node01" as ("node", "01"): hosts are numbered at their end.
std::pair<std::string, std::string> split_number(const std::string& host) {
  std::size_t end = host.size();
  while (end > 0 && std::isdigit(static_cast<unsigned char>(host[end - 1])) != 0 && host.size() - end < 9) --end;
  return {host.substr(0, end), host.substr(end)};
}

/// Nodes numbered one after the other, with as many ranks each.
struct HostRun {
  std::string prefix;
  std::string first;
  std::string last;
  std::size_t ranks = 0;

  [[nodiscard]] bool takes(const std::string& name, const std::string& number, std::size_t count) const {
    return name == prefix && count == ranks && !number.empty() && number.size() == last.size() &&
           std::stol(number) == std::stol(last) + 1;
  }
  [[nodiscard]] std::string text() const {
    if (first == last) return fmt::format("{}{} ({})", prefix, first, counted(ranks, "rank"));
    return fmt::format("{}[{}-{}] ({} each)", prefix, first, last, counted(ranks, "rank"));
  }
};

}  // namespace

std::vector<std::string> placement_warnings(const Placement& placement, const std::optional<GridShape>& grid) {
  std::vector<std::string> warnings;
  warn_of_cores(placement, warnings);
  warn_of_narrow_ranks(placement, warnings);
  warn_of_blas(placement, warnings);
  if (grid) warn_of_grid(*grid, warnings);
  return warnings;
}

std::string host_list(const std::vector<RankPlace>& ranks) {
  std::vector<HostRun> runs;
  for (const Node& node : nodes_of(ranks)) {
    const auto [prefix, number] = split_number(node.host);
    if (!runs.empty() && runs.back().takes(prefix, number, node.ranks.size())) {
      runs.back().last = number;
    } else {
      runs.push_back({prefix, number, number, node.ranks.size()});
    }
  }
  std::vector<std::string> texts;
  for (const HostRun& run : runs) texts.push_back(run.text());
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string core_list(const std::vector<int>& cores) {
  std::string text;
  for (std::size_t i = 0; i < cores.size();) {
    std::size_t end = i + 1;
    while (end < cores.size() && cores[end] == cores[end - 1] + 1) ++end;
    text += i > 0 ? "," : "";
    text += end - i == 1 ? fmt::format("{}", cores[i]) : fmt::format("{}-{}", cores[i], cores[end - 1]);
    i = end;
  }
  return text;
}

std::string binding_text(const std::vector<RankPlace>& ranks) {
  constexpr std::size_t most_listed = 8;
  const std::vector<Node> nodes = nodes_of(ranks);
  const bool bound = std::none_of(nodes.begin(), nodes.end(), cores_overlap);
  if (!bound) {
    return nodes.size() == 1
               ? fmt::format("not bound: they share cores {}",
                             core_list({nodes.front().cores.begin(), nodes.front().cores.end()}))
               : fmt::format("not bound: they share the {} of a node", counted(nodes.front().cores.size(), "core"));
  }
  if (ranks.size() <= most_listed) {
    std::vector<std::string> each;
    for (const RankPlace& rank : ranks) each.push_back(core_list(rank.cores));
    return fmt::format("on cores {}", fmt::join(each, " | "));
  }
  const auto [fewest, most] = std::minmax_element(
      ranks.begin(), ranks.end(), [](const auto& a, const auto& b) { return a.cores.size() < b.cores.size(); });
  return fewest->cores.size() == most->cores.size()
             ? fmt::format("bound to {} each", counted(most->cores.size(), "core"))
             : fmt::format("bound to {} to {} each", fewest->cores.size(), counted(most->cores.size(), "core"));
}

}  // namespace stepwise
