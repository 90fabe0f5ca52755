#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ppsp::peer {

/// A queue in one piece of memory, which it keeps: std::deque asks for a block every few
/// elements. Elements move when it grows.
template <typename T>
class FlatQueue {
public:
    using Iterator = typename std::vector<T>::iterator;
    using ConstIterator = typename std::vector<T>::const_iterator;

    [[nodiscard]] bool empty() const { return first_ == items_.size(); }
    [[nodiscard]] std::size_t size() const { return items_.size() - first_; }
    [[nodiscard]] Iterator begin() { return items_.begin() + offset(); }
    [[nodiscard]] Iterator end() { return items_.end(); }
    [[nodiscard]] ConstIterator begin() const { return items_.begin() + offset(); }
    [[nodiscard]] ConstIterator end() const { return items_.end(); }
    [[nodiscard]] T& front() { return items_[first_]; }
    [[nodiscard]] T& back() { return items_.back(); }
    [[nodiscard]] T const& back() const { return items_.back(); }

    void push_back(T const& item)
    {
        // Before it would grow; half of it must be free, so that each element moves once at most.
        if (items_.size() == items_.capacity() && first_ >= items_.size() / 2) {
            close_gap();
        }
        items_.push_back(item);
    }
    void insert(Iterator at, T const& item) { items_.insert(at, item); }
    void pop_front()
    {
        ++first_;
        if (empty()) {
            clear();
        }
    }
    void pop_back()
    {
        items_.pop_back();
        if (empty()) {
            clear();
        }
    }
    void clear()
    {
        items_.clear();
        first_ = 0;
    }
    template <typename Condition>
    void erase_if(Condition const& condition)
    {
        items_.erase(std::remove_if(begin(), end(), condition), end());
        if (empty()) {
            clear();
        }
    }

private:
    [[nodiscard]] std::ptrdiff_t offset() const { return static_cast<std::ptrdiff_t>(first_); }
    void close_gap()
    {
        items_.erase(items_.begin(), begin());
        first_ = 0;
    }

    std::vector<T> items_;
    std::size_t first_ = 0; ///< what lies before it has left
};

} // namespace ppsp::peer
