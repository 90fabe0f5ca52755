#include "tests/sim/run_result.hpp"

namespace ppsp::sim {

void Distribution::add(Distribution const& other)
{
    counts_.resize(std::max(counts_.size(), other.counts_.size()));
    for (std::size_t i = 0; i < other.counts_.size(); ++i) {
        counts_[i] += other.counts_[i];
    }
    count_ += other.count_;
    missing_ += other.missing_;
    sum_ += other.sum_;
}

std::optional<double> Distribution::percentile(double share) const
{
    if (count() == 0) {
        return std::nullopt;
    }
    double const wanted = share * static_cast<double>(count());
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        below += counts_[i];
        if (static_cast<double>(below) >= wanted && below > 0) {
            return static_cast<double>(i + 1) * step_;
        }
    }
    return std::nullopt;
}

std::vector<std::pair<double, double>> Distribution::curve(std::size_t points) const
{
    std::vector<std::pair<double, double>> curve;
    std::uint64_t below = 0;
    std::uint64_t next = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        below += counts_[i];
        if (counts_[i] > 0 && below >= next) {
            curve.emplace_back(static_cast<double>(i + 1) * step_,
                               static_cast<double>(below) / static_cast<double>(count()));
            next = below + count() / (points + 1) + 1;
        }
    }
    return curve;
}

} // namespace ppsp::sim
