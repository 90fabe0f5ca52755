#include "tests/bench/bench.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>

/// What the parts of the way of a chunk cost, each beside the least that the machine allows in the
/// same round.
namespace {

using namespace ppsp::bench;

struct Options {
    std::vector<std::string> rows;
    unsigned rounds = 3;
    double seconds = 0.5;
    bool json = false;
    bool list = false;
};

/// The samples of all rounds.
struct Result {
    Row row;
    std::vector<Sample> samples;
};

std::vector<Row> all_rows()
{
    std::vector<Row> all;
    for (auto* const rows : {codec_rows, crypto_rows, engine_rows, socket_rows, node_rows,
                             transfer_rows, fetch_rows, requests_rows, flood_rows}) {
        auto more = rows();
        std::move(more.begin(), more.end(), std::back_inserter(all));
    }
    return all;
}

/// Rows that were asked for and those they are compared with, in the order of all.
std::vector<Row> chosen_rows(std::vector<Row> const& all, std::vector<std::string> const& names)
{
    auto const named = [](std::vector<std::string> const& list, std::string const& name) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    std::vector<std::string> wanted = names;
    for (Row const& row : all) {
        if (named(names, row.name) && !row.floor.empty()) {
            wanted.push_back(row.floor);
        }
    }
    std::vector<Row> chosen;
    std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                 [&](Row const& row) { return names.empty() || named(wanted, row.name); });
    return chosen;
}

template <typename Value>
std::optional<double> median(std::vector<Sample> const& samples, Value value)
{
    std::vector<double> values;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        if (samples[i].bytes > 0) {
            if (std::optional<double> const one = value(i)) {
                values.push_back(*one);
            }
        }
    }
    if (values.empty()) {
        return std::nullopt;
    }
    std::sort(values.begin(), values.end());
    std::size_t const middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

struct Figures {
    std::optional<double> mb_per_second;
    std::optional<double> cpu_seconds_per_gb;
    std::optional<double> cpu_over_floor; ///< median of the rounds' ratios
    std::optional<double> speed_over_floor;
};

Figures figures_of(Result const& result, std::vector<Result> const& all)
{
    auto const& samples = result.samples;
    Figures figures;
    figures.mb_per_second =
        median(samples, [&](std::size_t i) { return samples[i].mb_per_second(); });
    figures.cpu_seconds_per_gb =
        median(samples, [&](std::size_t i) { return samples[i].cpu_seconds_per_gb(); });
    auto const floor = std::find_if(all.begin(), all.end(), [&](Result const& other) {
        return other.row.name == result.row.floor;
    });
    if (floor == all.end()) {
        return figures;
    }
    auto const against = [&](auto figure) {
        return median(samples, [&](std::size_t i) -> std::optional<double> {
            Sample const& least = floor->samples[i];
            if (least.bytes == 0) {
                return std::nullopt;
            }
            return figure(samples[i]) / figure(least);
        });
    };
    figures.cpu_over_floor = against([](Sample const& one) { return one.cpu_seconds_per_gb(); });
    figures.speed_over_floor = against([](Sample const& one) { return one.mb_per_second(); });
    return figures;
}

std::string text(std::optional<double> value, int digits)
{
    char buffer[32];
    if (!value) {
        return "-";
    }
    std::snprintf(buffer, sizeof(buffer), "%.*f", digits, *value);
    return buffer;
}

void print_table(std::vector<Result> const& results)
{
    std::printf("| row | what | MB/s | CPU-s per GB | against | CPU | MB/s | |\n"
                "|---|---|---|---|---|---|---|---|\n");
    for (Result const& result : results) {
        Figures const figures = figures_of(result, results);
        bool const compared = figures.cpu_over_floor.has_value();
        std::printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", result.row.name.c_str(),
                    result.row.about.c_str(), text(figures.mb_per_second, 0).c_str(),
                    text(figures.cpu_seconds_per_gb, 3).c_str(),
                    compared ? result.row.floor.c_str() : "",
                    compared ? ("x" + text(figures.cpu_over_floor, 2)).c_str() : "",
                    compared ? ("x" + text(figures.speed_over_floor, 2)).c_str() : "",
                    result.samples.back().note.c_str());
    }
}

boost::json::value to_value(std::optional<double> value)
{
    return value ? boost::json::value(*value) : boost::json::value(nullptr);
}

void print_json(std::vector<Result> const& results)
{
    boost::json::array list;
    for (Result const& result : results) {
        Figures const figures = figures_of(result, results);
        boost::json::array rounds;
        for (Sample const& sample : result.samples) {
            rounds.push_back({{"seconds", sample.seconds},
                              {"cpu_seconds", sample.cpu_seconds},
                              {"bytes", sample.bytes},
                              {"note", sample.note}});
        }
        list.push_back({{"row", result.row.name},
                        {"what", result.row.about},
                        {"mb_per_second", to_value(figures.mb_per_second)},
                        {"cpu_seconds_per_gb", to_value(figures.cpu_seconds_per_gb)},
                        {"floor", result.row.floor},
                        {"cpu_over_floor", to_value(figures.cpu_over_floor)},
                        {"speed_over_floor", to_value(figures.speed_over_floor)},
                        {"rounds", std::move(rounds)}});
    }
    std::cout << boost::json::serialize(list) << std::endl;
}

std::vector<Result> measure(std::vector<Row> const& rows, Options const& options)
{
    std::vector<Result> results;
    for (Row const& row : rows) {
        results.push_back({row, {}});
    }
    for (unsigned round = 0; round < options.rounds; ++round) {
        for (Result& result : results) {
            result.samples.push_back(result.row.run(options.seconds));
        }
    }
    return results;
}

} // namespace

int main(int argc, char** argv)
{
    Options options;
    std::vector<Row> const all = all_rows();
    std::vector<std::string> names;
    for (Row const& row : all) {
        names.push_back(row.name);
    }
    CLI::App app{
        "MB/s and CPU-seconds per GB (10^9 bytes of media) of the parts of a chunk's way,\n"
        "medians of rounds; ratios are taken within a round."};
    app.add_option("--rows", options.rows, "Rows to measure, with those they are compared with")
        ->delimiter(',')
        ->check(CLI::IsMember(names));
    app.add_option("--rounds", options.rounds, "Rounds of all rows")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    app.add_option("--seconds", options.seconds, "Time for a row in a round")
        ->capture_default_str()
        ->check(CLI::Range(0.01, 600.0));
    app.add_flag("--json", options.json, "Every round as JSON instead of a table of medians");
    app.add_flag("--list", options.list, "Names of the rows");
    app.footer(
        "Whole programs, one seed and any number of leechers beside libtorrent's uTP and bare "
        "sockets in the same round: tests/bench/recording_bench.py --leechers N.");
    app.set_version_flag("--version", "ppsp-bench " PPSP_VERSION);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (options.list) {
        for (Row const& row : all) {
            std::printf("%-16s %s\n", row.name.c_str(), row.about.c_str());
        }
        return 0;
    }
    auto const results = measure(chosen_rows(all, options.rows), options);
    options.json ? print_json(results) : print_table(results);
    // A row that could not work at all is a failure; how fast it was is none.
    return std::all_of(results.begin(), results.end(),
                       [](Result const& result) {
                           return std::all_of(result.samples.begin(), result.samples.end(),
                                              [](Sample const& one) { return one.bytes > 0; });
                       })
               ? 0
               : 1;
}
