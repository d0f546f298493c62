#include <algorithm>

#include "solve/krylov_search.hpp"

// A search as numbers, and back.

namespace stepwise {

// counts: those of the search given up before, of the basis, of this search.
std::array<std::int64_t*, 17> Search::counts() {
  const auto basis = basis_.counts();
  return {&given_up_.any,    &given_up_.products,
          &given_up_.rounds, &given_up_.rough_rounds,
          basis[0],          basis[1],
          basis[2],          basis[3],
          basis[4],          basis[5],
          &found_,           &looks_without_more_,
          &steps_checked_,   &joined_,
          &unseen_,          &patience_,
          &pairs_.restarts};
}

std::array<double*, 6> Search::numbers() {
  const auto basis = basis_.numbers();
  return {basis[0], basis[1], &first_residual_, &last_seen_, &goal_, &true_residual_};
}

namespace {

constexpr std::size_t first_numbers = 8;
constexpr std::size_t all_counts = 18;

}  // namespace

GivenUp given_up_before(const KrylovState& state) {
  const auto size = static_cast<std::size_t>(state.vectors);
  if (state.vectors > state.sizes.basis || state.counts.size() != all_counts ||
      state.numbers.size() != first_numbers + size * size) {
    throw CollectiveError(
        ExitCode::input,
        fmt::format("a state of the Krylov method with {} vectors, {} counts and {} numbers is that of "
                    "another version: start anew",
                    state.vectors, state.counts.size(), state.numbers.size()));
  }
  return {state.counts.at(0), state.counts.at(1), state.counts.at(2), state.counts.at(3)};
}

// Numbers beyond those of numbers(): the largest and the smallest Ritz value, where there are any, and Q^T K T Q.
void Search::note_state() {
  const std::int64_t size = basis_.size();
  state_ = {sizes_, size, {}, {}};
  for (const std::int64_t* count : counts()) state_.counts.push_back(*count);
  for (const double* number : numbers()) state_.numbers.push_back(*number);
  state_.counts.push_back(ritz_.values.empty() ? 0 : 1);
  state_.numbers.push_back(ritz_.values.empty() ? 0 : ritz_.values.front());
  state_.numbers.push_back(ritz_.values.empty() ? 0 : ritz_.values.back());
  for (std::int64_t j = 0; j < size; ++j) {
    const auto column = h_.begin() + static_cast<std::ptrdiff_t>(area(j, sizes_.basis));
    state_.numbers.insert(state_.numbers.end(), column, column + size);
  }
  whole_ = true;
}

void Search::show_state() {
  options_.safe_point(state_, basis_.q(0, state_.vectors), basis_.kq(0, state_.vectors));
}

void Search::resume(const KrylovResume& from) {
  const KrylovState& state = from.state;
  auto count = state.counts.begin();
  for (std::int64_t* target : counts()) *target = *count++;
  auto number = state.numbers.begin();
  for (double* target : numbers()) *target = *number++;
  if (*count == 1) ritz_.values = {number[0], number[1]};
  number += 2;
  for (std::int64_t j = 0; j < state.vectors; ++j) {
    std::copy_n(number + static_cast<std::ptrdiff_t>(area(j, state.vectors)), state.vectors,
                h_.begin() + static_cast<std::ptrdiff_t>(area(j, sizes_.basis)));
  }
  basis_.restore(state.vectors, from.read);
}

}  // namespace stepwise
