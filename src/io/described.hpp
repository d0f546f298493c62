#pragma once

#include <string>

#include "stepwise/h5/handle.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {

// What describes datasets: attributes and dimension scales. All local.

template <class T>
[[nodiscard]] hid_t native_type();
template <>
[[nodiscard]] hid_t native_type<double>();
template <>
[[nodiscard]] hid_t native_type<std::int64_t>();

/// Texts in UTF-8 of at most `length` bytes, or of any length.
[[nodiscard]] h5::Handle text_type(std::size_t length);

/// For an object that may be the first of its group.
[[nodiscard]] h5::Handle link_creation();

/// An attribute that is not there yet. @throws Error(io).
void write_attribute(hid_t object, const std::string& name, const AttributeValue& value);

/// Units, description and scales of a new dataset; `dimension`: it becomes a scale of that name. @throws Error(io).
void describe(hid_t file, hid_t dataset, const DatasetInfo& info, const std::string* dimension);

}  // namespace stepwise
