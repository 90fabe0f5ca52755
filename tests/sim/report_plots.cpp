#include "tests/sim/report_plots.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <tuple>

namespace ppsp::sim::report {
namespace {

/// Pixels of the drawings; the page scales them.
constexpr double plot_width = 560;
constexpr double row_height = 34;
constexpr double line_height = 15;
constexpr double glyph_width = 7; ///< of the labels, on average

/// More nodes would make the page larger than a megabyte.
constexpr std::size_t nodes_drawn_max = 20'000;
constexpr std::size_t edges_drawn_max = 1'500;

std::string fixed(double value, int decimals)
{
    std::array<char, 512> buffer{};
    auto const written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                       std::chars_format::fixed, decimals);
    return {buffer.data(), written.ptr};
}

/// A coordinate: tenths of a pixel, as short as possible, for there are many.
std::string px(double value)
{
    double const tenths = std::round(std::clamp(value, -9e3, 9e3) * 10) / 10;
    return tenths == std::floor(tenths) ? fixed(tenths + 0.0, 0) : fixed(tenths, 1);
}

/// Two coordinates of a path; a minus parts numbers as well as a space does.
std::string pair(double x, double y)
{
    std::string const second = px(y);
    return px(x) + (second.front() == '-' ? "" : " ") + second;
}

double text_width(std::string_view text)
{
    auto const glyphs =
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
    return static_cast<double>(glyphs) * glyph_width;
}

std::string text_at(double x, double y, std::string_view css, std::string_view text)
{
    return "<text x='" + px(x) + "' y='" + px(y) + "' class='" + std::string{css} + "'>" +
           escaped(text) + "</text>";
}

std::string line_between(double x1, double y1, double x2, double y2, std::string_view css)
{
    return "<path d='M" + pair(x1, y1) + "L" + pair(x2, y2) + "' class='" + std::string{css} +
           "'/>";
}

std::string rectangle(double x, double y, double width, double height, std::string_view css)
{
    return "<rect x='" + px(x) + "' y='" + px(y) + "' width='" + px(std::max(0.0, width)) +
           "' height='" + px(std::max(0.0, height)) + "' class='" + std::string{css} + "'/>";
}

std::string drawing(double width, double height, std::string const& content)
{
    return "<svg viewBox='0 0 " + px(width) + " " + px(height) + "' role='img'>" + content +
           "</svg>\n";
}

/// Distance of the ticks: 1, 2 or 5 times a power of ten.
double round_step(double range, int ticks_wanted)
{
    double const raw = range / ticks_wanted;
    double const power = std::pow(10.0, std::floor(std::log10(raw)));
    for (double const factor : {1.0, 2.0, 5.0}) {
        if (raw <= factor * power * 1.0001) {
            return factor * power;
        }
    }
    return 10 * power;
}

struct Tick {
    double at;
    std::string label;
};

std::string tick_label(double value, double step, Unit unit)
{
    double const factor = unit == Unit::percent ? 100 : 1;
    double const decimals = std::ceil(-std::log10(step * factor) - 1e-9);
    return number(value * factor, static_cast<int>(std::clamp(decimals, 0.0, 9.0))) +
           (unit == Unit::percent ? "\u00a0%" : "");
}

std::vector<Tick> ticks_of(Axis const& axis, int wanted)
{
    std::vector<Tick> ticks;
    if (axis.scale == Scale::log) {
        auto const last = static_cast<int>(std::floor(std::log10(axis.to) + 1e-9));
        for (auto power = static_cast<int>(std::ceil(std::log10(axis.from) - 1e-9)); power <= last;
             ++power) {
            double const value = std::pow(10.0, power);
            ticks.push_back({value, tick_label(value, value, axis.unit)});
        }
        return ticks;
    }
    double const step = round_step(axis.to - axis.from, wanted);
    double const first = std::ceil(axis.from / step - 1e-9);
    for (int i = 0; (first + i) * step <= axis.to + step * 1e-6; ++i) {
        double const value = (first + i) * step;
        ticks.push_back({value, tick_label(value, step, axis.unit)});
    }
    return ticks;
}

/// An axis that can be drawn, whatever the numbers were.
Axis usable(Axis axis)
{
    double const least = axis.scale == Scale::log ? 1e-9 : -1e15;
    axis.from = std::clamp(std::isfinite(axis.from) ? axis.from : 0.0, least, 1e15);
    if (!std::isfinite(axis.to) || axis.to <= axis.from) {
        axis.to = axis.from + std::max(1.0, std::abs(axis.from));
    }
    axis.to = std::min(axis.to, 4e15);
    return axis;
}

/// The rectangle between the axes, and what lies where in it.
class Frame {
public:
    Frame(Axis const& x, Axis const& y, double left, double top, double width, double height)
        : x_(usable(x)), y_(usable(y)), left_(left), top_(top), width_(width), height_(height)
    {}

    [[nodiscard]] double x(double value) const { return left_ + width_ * share(x_, value); }
    [[nodiscard]] double y(double value) const { return top_ + height_ * (1 - share(y_, value)); }
    [[nodiscard]] double left() const { return left_; }
    [[nodiscard]] double right() const { return left_ + width_; }
    [[nodiscard]] double top() const { return top_; }
    [[nodiscard]] double bottom() const { return top_ + height_; }
    [[nodiscard]] bool has_x(double value) const { return value >= x_.from && value <= x_.to; }
    [[nodiscard]] bool has_y(double value) const { return value >= y_.from && value <= y_.to; }

    [[nodiscard]] std::string x_axis() const
    {
        std::string svg;
        for (Tick const& tick : ticks_of(x_, 7)) {
            svg += line_between(x(tick.at), top(), x(tick.at), bottom(), "grid");
            svg += text_at(x(tick.at), bottom() + 16, "mid", tick.label);
        }
        svg += line_between(left(), bottom(), right(), bottom(), "axis");
        return svg + text_at((left() + right()) / 2, bottom() + 34, "mid label", x_.label);
    }
    [[nodiscard]] std::string y_axis() const
    {
        std::string svg;
        for (Tick const& tick : ticks_of(y_, 5)) {
            svg += line_between(left(), y(tick.at), right(), y(tick.at), "grid");
            svg += text_at(left() - 7, y(tick.at) + 4, "end", tick.label);
        }
        svg += line_between(left(), top(), left(), bottom(), "axis");
        return svg + text_at(0, 12, "label", y_.label);
    }

private:
    static double share(Axis const& axis, double value)
    {
        if (axis.scale == Scale::log) {
            double const low = std::log(axis.from);
            return (std::log(std::max(value, 1e-12)) - low) / (std::log(axis.to) - low);
        }
        return (value - axis.from) / (axis.to - axis.from);
    }

    Axis x_;
    Axis y_;
    double left_;
    double top_;
    double width_;
    double height_;
};

bool is_number(Point const& point)
{
    return std::isfinite(point.x) && std::isfinite(point.y);
}

/// The path of a series; points nearer than half a pixel to the last one are left out.
std::string path_of(Series const& series, Frame const& frame)
{
    std::string path;
    bool has_begun = false;
    double last_x = 0;
    double last_y = 0;
    for (std::size_t i = 0; i < series.points.size(); ++i) {
        if (!is_number(series.points[i])) {
            has_begun = false;
            continue;
        }
        double const x = frame.x(series.points[i].x) - frame.left();
        double const y = frame.y(series.points[i].y) - frame.top();
        bool const is_near = std::abs(x - last_x) < 0.5 && std::abs(y - last_y) < 0.5;
        if (has_begun && is_near && i + 1 < series.points.size()) {
            continue;
        }
        path += (has_begun ? "L" : "M") + pair(x, y);
        has_begun = true;
        last_x = x;
        last_y = y;
    }
    return path;
}

/// Dots on the points while there are few: a line through one point cannot be seen.
std::string dots_of(Series const& series, Frame const& frame)
{
    std::string path;
    if (series.points.size() > 100) {
        return path;
    }
    for (Point const& point : series.points) {
        if (is_number(point)) {
            path +=
                "M" + pair(frame.x(point.x) - frame.left(), frame.y(point.y) - frame.top()) + "h0";
        }
    }
    return path;
}

std::string curves(std::vector<Series> const& all, Frame const& frame)
{
    std::string svg = "<svg x='" + px(frame.left()) + "' y='" + px(frame.top()) + "' width='" +
                      px(frame.right() - frame.left()) + "' height='" +
                      px(frame.bottom() - frame.top()) + "'>";
    bool is_empty = true;
    for (Series const& series : all) {
        std::string const path = path_of(series, frame);
        if (path.empty()) {
            continue;
        }
        is_empty = false;
        svg += "<g class='" + colour_class(series.colour) + "'><path class='line" +
               (series.is_bold ? " bold" : "") + "' d='" + path + "'/>";
        if (std::string const dots = dots_of(series, frame); !dots.empty()) {
            svg += "<path class='dots' d='" + dots + "'/>";
        }
        svg += "</g>";
    }
    svg += "</svg>";
    if (is_empty) {
        svg += text_at((frame.left() + frame.right()) / 2, (frame.top() + frame.bottom()) / 2,
                       "mid none", "no data");
    }
    return svg;
}

/// Names of upright lines stand above the frame, in as many lines as they need not to overlap.
struct PlacedMark {
    Mark const* mark;
    double x; ///< middle of the label
    std::size_t line;
};

std::vector<PlacedMark> placed(std::vector<Mark> const& marks, Frame const& frame)
{
    std::vector<Mark const*> sorted;
    for (Mark const& mark : marks) {
        if (frame.has_x(mark.at)) {
            sorted.push_back(&mark);
        }
    }
    std::sort(sorted.begin(), sorted.end(), [](Mark const* left, Mark const* right) {
        return std::tie(left->at, left->label) < std::tie(right->at, right->label);
    });
    std::vector<PlacedMark> all;
    std::vector<double> ends; // of each line of labels
    for (Mark const* mark : sorted) {
        double const half = text_width(mark->label) / 2 + 4;
        double const middle = std::max(half, std::min(frame.x(mark->at), plot_width - half));
        auto const line = std::find_if(ends.begin(), ends.end(),
                                       [&](double end) { return end <= middle - half; });
        all.push_back({mark, middle, static_cast<std::size_t>(line - ends.begin())});
        if (line == ends.end()) {
            ends.push_back(middle + half);
        } else {
            *line = middle + half;
        }
    }
    return all;
}

std::size_t lines_of(std::vector<PlacedMark> const& marks)
{
    std::size_t lines = 0;
    for (PlacedMark const& one : marks) {
        lines = std::max(lines, one.line + 1);
    }
    return lines;
}

/// Labels cover the lines of those above them; the lowest line of labels is the first.
std::string upright(std::vector<PlacedMark> const& marks, Frame const& frame)
{
    std::string lines;
    std::string labels;
    for (PlacedMark const& one : marks) {
        double const x = frame.x(one.mark->at);
        double const y = frame.top() - 6 - static_cast<double>(one.line) * line_height;
        lines += line_between(x, y + 2, x, frame.bottom(), "mark");
        double const width = text_width(one.mark->label);
        labels += rectangle(one.x - width / 2, y - 12, width, 14, "back");
        labels += text_at(one.x, y - 1, "mid markname", one.mark->label);
    }
    return lines + labels;
}

std::string level(std::vector<Mark> const& marks, Frame const& frame)
{
    std::string svg;
    for (Mark const& mark : marks) {
        if (!frame.has_y(mark.at)) {
            continue;
        }
        double const y = frame.y(mark.at);
        bool const has_room_above = y - frame.top() > 16;
        svg += line_between(frame.left(), y, frame.right(), y, "mark");
        svg +=
            text_at(frame.right() - 4, has_room_above ? y - 5 : y + 14, "end markname", mark.label);
    }
    return svg;
}

/// Where names of rows end and the rows begin.
double names_width(std::vector<Row> const& rows)
{
    double width = 40;
    for (Row const& row : rows) {
        width = std::max(width, text_width(row.name) + 16);
    }
    return std::min(width, 200.0);
}

double texts_width(std::vector<Row> const& rows)
{
    double width = 14;
    for (Row const& row : rows) {
        width = std::max(width, text_width(row.text) + 16);
    }
    return std::min(width, 240.0);
}

Frame row_frame(Axis const& x, std::vector<Row> const& rows, double top)
{
    double const left = names_width(rows);
    double const height = row_height * static_cast<double>(std::max<std::size_t>(1, rows.size()));
    return {x, Axis{}, left, top, plot_width - left - texts_width(rows), height};
}

/// Names, axis and texts of a plot with rows; `draw(row, middle)` adds what is in the row.
template <typename Draw>
std::string row_plot(Frame const& frame, std::vector<Row> const& rows, Draw&& draw)
{
    std::string svg = frame.x_axis();
    double middle = frame.top() + row_height / 2;
    for (Row const& row : rows) {
        svg += text_at(frame.left() - 8, middle + 4, "end name", row.name);
        svg += "<g class='" + colour_class(row.colour) + "'>" + draw(row, middle) + "</g>";
        svg += text_at(frame.right() + 10, middle + 4, "value", row.text);
        middle += row_height;
    }
    if (rows.empty()) {
        svg += text_at((frame.left() + frame.right()) / 2, middle + 4, "mid none", "no data");
    }
    return svg;
}

/// Where a node stands: its parent is the neighbour above it that feeds it most.
struct Placed {
    OverlayNode const* node = nullptr;
    std::int64_t parent = -1; ///< index; -1: the source
    std::uint32_t parent_kbps = 0;
    double out_kbps = 0;
    double leaves = 0; ///< of the tree below
    double from = 0;   ///< share of the circle that the tree below has
    double taken = 0;  ///< by children so far
    double x = 0;
    double y = 0;
};

constexpr double picture_size = 900;
constexpr double rim = 418;      ///< radius of the latest
constexpr double lost_rim = 440; ///< radius of those that never got a unit
constexpr double centre = picture_size / 2;

class Overlay {
public:
    Overlay(std::vector<OverlayNode> const& nodes, std::vector<OverlayEdge> const& edges,
            std::vector<std::string> const& classes)
        : classes_(classes)
    {
        take(nodes);
        connect(edges);
        measure_depth();
        place();
        choose(edges);
    }

    [[nodiscard]] OverlayPicture picture() const;

private:
    static constexpr std::int64_t source = -1;
    static constexpr std::int64_t nobody = -2;

    struct Chosen {
        OverlayEdge edge;
        bool is_main; ///< nobody else feeds the node as much
    };

    void take(std::vector<OverlayNode> const& nodes);
    void connect(std::vector<OverlayEdge> const& edges);
    void measure_depth();
    void place();
    void choose(std::vector<OverlayEdge> const& edges);
    [[nodiscard]] std::int64_t find(std::uint32_t number) const;
    [[nodiscard]] bool is_main(OverlayEdge const& edge) const;
    [[nodiscard]] bool has_delay(Placed const& one) const
    {
        return std::isfinite(one.node->depth_ms) && one.node->depth_ms > 0;
    }
    [[nodiscard]] double radius(double depth_ms) const
    {
        return std::min(1.0, depth_ms / depth_max_ms_) * rim;
    }
    [[nodiscard]] std::size_t colour(std::string const& peer_class) const;
    [[nodiscard]] std::vector<Tick> rings() const;
    [[nodiscard]] std::string rings_svg() const;
    [[nodiscard]] std::string ring_names_svg() const;
    [[nodiscard]] std::string edge_path(OverlayEdge const& edge) const;
    [[nodiscard]] std::string edges_svg() const;
    [[nodiscard]] std::string nodes_svg() const;

    std::vector<std::string> classes_;
    std::vector<Placed> nodes_; ///< by depth, so that parents come first
    std::vector<std::pair<std::uint32_t, std::int64_t>> by_number_;
    std::vector<Chosen> chosen_;
    double depth_max_ms_ = 1;
    std::size_t without_delay_ = 0;
};

void Overlay::take(std::vector<OverlayNode> const& nodes)
{
    for (OverlayNode const& node : nodes) {
        if (node.number != 0 && nodes_.size() < nodes_drawn_max) {
            nodes_.push_back({.node = &node});
        }
    }
    // Those without a delay come last: they feed nobody.
    auto const key = [&](Placed const& one) {
        return std::tuple{!has_delay(one), has_delay(one) ? one.node->depth_ms : 0.0,
                          one.node->number};
    };
    std::sort(nodes_.begin(), nodes_.end(),
              [&](Placed const& left, Placed const& right) { return key(left) < key(right); });
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        by_number_.emplace_back(nodes_[i].node->number, static_cast<std::int64_t>(i));
        without_delay_ += has_delay(nodes_[i]) ? 0 : 1;
    }
    std::sort(by_number_.begin(), by_number_.end());
}

std::int64_t Overlay::find(std::uint32_t number) const
{
    if (number == 0) {
        return source;
    }
    auto const found =
        std::lower_bound(by_number_.begin(), by_number_.end(),
                         std::pair{number, std::numeric_limits<std::int64_t>::min()});
    return found != by_number_.end() && found->first == number ? found->second : nobody;
}

void Overlay::connect(std::vector<OverlayEdge> const& edges)
{
    for (OverlayEdge const& edge : edges) {
        std::int64_t const from = find(edge.from);
        std::int64_t const to = find(edge.to);
        if (from >= 0) {
            nodes_[static_cast<std::size_t>(from)].out_kbps += edge.kbps;
        }
        if (from == nobody || to < 0 || from >= to) {
            continue;
        }
        Placed& child = nodes_[static_cast<std::size_t>(to)];
        if (edge.kbps > child.parent_kbps) {
            child.parent_kbps = edge.kbps;
            child.parent = from;
        }
    }
}

/// One straggler must not push all others together in the middle.
void Overlay::measure_depth()
{
    std::size_t const count = nodes_.size() - without_delay_;
    if (count == 0) {
        return;
    }
    double const most = nodes_[count - 1].node->depth_ms;
    double const usual = nodes_[(count - 1) * 98 / 100].node->depth_ms;
    depth_max_ms_ = std::max(1e-3, std::min(most, usual * 1.25));
}

/// Each node gets a part of its parent's part of the circle, as large as the tree below it.
void Overlay::place()
{
    double all = 0;
    for (std::size_t i = nodes_.size(); i-- > 0;) {
        nodes_[i].leaves = std::max(1.0, nodes_[i].leaves);
        std::int64_t const parent = nodes_[i].parent;
        (parent < 0 ? all : nodes_[static_cast<std::size_t>(parent)].leaves) += nodes_[i].leaves;
    }
    double taken = 0;
    for (Placed& one : nodes_) {
        bool const is_first_hop = one.parent < 0;
        Placed* const parent =
            is_first_hop ? nullptr : &nodes_[static_cast<std::size_t>(one.parent)];
        one.from = is_first_hop ? taken : parent->from + parent->taken;
        (is_first_hop ? taken : parent->taken) += one.leaves;
        double const angle = 2 * std::numbers::pi * (one.from + one.leaves / 2) / all;
        double const distance = has_delay(one) ? radius(one.node->depth_ms) : lost_rim;
        one.x = centre + distance * std::sin(angle);
        one.y = centre - distance * std::cos(angle);
    }
}

bool Overlay::is_main(OverlayEdge const& edge) const
{
    Placed const& to = nodes_[static_cast<std::size_t>(find(edge.to))];
    return find(edge.from) == to.parent && edge.kbps == to.parent_kbps;
}

/// Edges between nodes that are drawn: those that feed a node most, then the strongest others.
void Overlay::choose(std::vector<OverlayEdge> const& edges)
{
    for (OverlayEdge const& edge : edges) {
        if (edge.kbps > 0 && find(edge.from) != nobody && find(edge.to) >= 0) {
            chosen_.push_back({edge, is_main(edge)});
        }
    }
    auto const key = [](Chosen const& one) {
        return std::tuple{one.is_main, one.edge.kbps, one.edge.from, one.edge.to};
    };
    auto const drawn =
        static_cast<std::ptrdiff_t>(std::min<std::size_t>(chosen_.size(), edges_drawn_max));
    std::partial_sort(
        chosen_.begin(), chosen_.begin() + drawn, chosen_.end(),
        [&](Chosen const& left, Chosen const& right) { return key(left) > key(right); });
    chosen_.resize(static_cast<std::size_t>(drawn));
}

std::size_t Overlay::colour(std::string const& peer_class) const
{
    auto const found = std::find(classes_.begin(), classes_.end(), peer_class);
    return static_cast<std::size_t>(found - classes_.begin()) + 1;
}

std::vector<Tick> Overlay::rings() const
{
    if (nodes_.size() == without_delay_) {
        return {};
    }
    auto ticks = ticks_of(Axis{"", 0, depth_max_ms_}, 4);
    std::erase_if(ticks, [](Tick const& tick) { return tick.at <= 0; });
    return ticks;
}

/// Circles of equal delay.
std::string Overlay::rings_svg() const
{
    std::string svg;
    for (Tick const& tick : rings()) {
        svg += "<circle cx='" + px(centre) + "' cy='" + px(centre) + "' r='" + px(radius(tick.at)) +
               "' class='ring'/>";
    }
    return svg;
}

std::string Overlay::ring_names_svg() const
{
    std::string svg = "<g class='ringnames'>";
    for (Tick const& tick : rings()) {
        svg += text_at(centre, centre - radius(tick.at) - 4, "mid markname", tick.label + " ms");
    }
    return svg + "</g>";
}

/// From the radius half way in the direction of the feeder to the same in that of the fed: arcs
/// leave and arrive along the radius, and few cross the middle.
std::string Overlay::edge_path(OverlayEdge const& edge) const
{
    std::int64_t const feeder = find(edge.from);
    Placed const& to = nodes_[static_cast<std::size_t>(find(edge.to))];
    if (feeder < 0) {
        return "M" + pair(centre, centre) + "L" + pair(to.x, to.y);
    }
    Placed const& from = nodes_[static_cast<std::size_t>(feeder)];
    double const near = std::max(1.0, std::hypot(from.x - centre, from.y - centre));
    double const far = std::max(1.0, std::hypot(to.x - centre, to.y - centre));
    double const out = (near + far) / 2 / near;
    double const in = (near + far) / 2 / far;
    return "M" + pair(from.x, from.y) + "C" +
           pair(centre + (from.x - centre) * out, centre + (from.y - centre) * out) + " " +
           pair(centre + (to.x - centre) * in, centre + (to.y - centre) * in) + " " +
           pair(to.x, to.y);
}

/// Four groups by strength for those that feed a node most, and four for the others.
std::string Overlay::edges_svg() const
{
    std::array<std::string, 8> groups;
    double strongest = 1;
    for (Chosen const& one : chosen_) {
        strongest = std::max<double>(strongest, one.edge.kbps);
    }
    for (Chosen const& one : chosen_) {
        auto const strength = static_cast<std::size_t>(4 * one.edge.kbps / strongest);
        groups[std::min<std::size_t>(3, strength) + (one.is_main ? 4 : 0)] += edge_path(one.edge);
    }
    std::string svg;
    for (std::size_t group = 0; group < groups.size(); ++group) {
        if (!groups[group].empty()) {
            svg += "<path class='edge e" + std::to_string(group % 4) +
                   (group < 4 ? "' d='" : " main' d='") + groups[group] + "'/>";
        }
    }
    return svg;
}

/// Dots of one colour and size are one path: a tenth of the bytes of as many circles.
std::string Overlay::nodes_svg() const
{
    constexpr std::size_t sizes = 5;
    std::vector<std::array<std::string, sizes>> groups(classes_.size() + 2);
    double most = 1;
    for (Placed const& one : nodes_) {
        most = std::max(most, one.out_kbps);
    }
    for (Placed const& one : nodes_) {
        double const share = std::sqrt(one.out_kbps / most);
        auto const size = static_cast<std::size_t>(std::round(share * (sizes - 1)));
        groups[colour(one.node->peer_class)][size] += "M" + pair(one.x, one.y) + "h0";
    }
    double const scale =
        std::clamp(36 / std::sqrt(static_cast<double>(nodes_.size()) + 1), 0.45, 2.0);
    std::string svg;
    for (std::size_t colour = 0; colour < groups.size(); ++colour) {
        svg += "<g class='" + colour_class(colour) + "'>";
        for (std::size_t size = 0; size < sizes; ++size) {
            if (!groups[colour][size].empty()) {
                svg += "<path class='nodes' stroke-width='" +
                       px(scale * (4.5 + 2.6 * static_cast<double>(size))) + "' d='" +
                       groups[colour][size] + "'/>";
            }
        }
        svg += "</g>";
    }
    return svg;
}

OverlayPicture Overlay::picture() const
{
    std::string const middle = "<path class='source' d='M" + pair(centre, centre - 11) + "L" +
                               pair(centre + 11, centre) + "L" + pair(centre, centre + 11) + "L" +
                               pair(centre - 11, centre) + "Z'/>";
    std::string const nothing =
        nodes_.empty() ? text_at(centre, centre + 40, "mid none", "no data") : "";
    return {drawing(picture_size, picture_size,
                    edges_svg() + rings_svg() + nodes_svg() + middle + ring_names_svg() + nothing),
            nodes_.size(), chosen_.size(), without_delay_};
}

} // namespace

std::string escaped(std::string_view text)
{
    std::string out;
    for (char const c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            out += c;
        }
    }
    return out;
}

std::string number(double value, int decimals)
{
    if (!std::isfinite(value)) {
        return "–";
    }
    std::string text = fixed(std::abs(value), decimals);
    bool const is_zero = text.find_first_of("123456789") == std::string::npos;
    auto const point = std::min(text.find('.'), text.size());
    // Four digits read well as they are; longer numbers do not.
    for (std::size_t i = point; point > 4 && i > 3; i -= 3) {
        text.insert(i - 3, "\u202f");
    }
    return (value < 0 && !is_zero ? "−" : "") + text;
}

std::string short_number(double value)
{
    double const magnitude = std::abs(value);
    if (!std::isfinite(value) || magnitude == 0) {
        return number(value, 0);
    }
    double const decimals = 2 - std::floor(std::log10(magnitude));
    std::string text = number(value, static_cast<int>(std::clamp(decimals, 0.0, 6.0)));
    if (text.find('.') != std::string::npos) {
        text.erase(text.find_last_not_of('0') + 1);
        text.erase(text.find_last_not_of('.') + 1);
    }
    return text;
}

std::string percent(double share, int decimals)
{
    return std::isfinite(share) ? number(share * 100, decimals) + "\u00a0%" : "–";
}

std::string colour_class(std::size_t colour)
{
    return "c" + std::to_string(colour == 0 ? 0 : (colour - 1) % 8 + 1);
}

std::string line_plot(LinePlot const& plot)
{
    // The place of labels needs a frame, and the top of the frame the number of their lines.
    constexpr double left = 62;
    constexpr double width = plot_width - left - 14;
    auto const marks = placed(plot.marks_x, {plot.x, plot.y, left, 0, width, plot.height});
    double const top = 26 + static_cast<double>(lines_of(marks)) * line_height;
    Frame const frame{plot.x, plot.y, left, top, width, plot.height};
    std::string svg;
    for (Band const& band : plot.bands) {
        if (band.from < band.to) {
            double const from = std::clamp(frame.x(band.from), frame.left(), frame.right());
            double const to = std::clamp(frame.x(band.to), frame.left(), frame.right());
            svg += rectangle(from, top, to - from, plot.height, "band");
        }
    }
    svg += frame.y_axis() + frame.x_axis() + upright(marks, frame);
    svg += curves(plot.series, frame) + level(plot.marks_y, frame);
    return drawing(plot_width, top + plot.height + 42, svg);
}

std::string bar_plot(Axis const& x, std::vector<Row> const& rows)
{
    Frame const frame = row_frame(x, rows, 6);
    std::string const svg = row_plot(frame, rows, [&](Row const& row, double middle) {
        std::string bars;
        for (std::size_t i = 0; i < std::min<std::size_t>(2, row.values.size()); ++i) {
            if (std::isfinite(row.values[i])) {
                double const to = std::clamp(frame.x(row.values[i]), frame.left(), frame.right());
                bars += rectangle(frame.left(), middle - 9, to - frame.left(), 18,
                                  i == 0 ? "capacity" : "used");
            }
        }
        return bars;
    });
    return drawing(plot_width, frame.bottom() + 42, svg);
}

std::string dot_plot(Axis const& x, std::vector<Row> const& rows, std::vector<Mark> const& marks)
{
    auto const labels = placed(marks, row_frame(x, rows, 0));
    Frame const frame =
        row_frame(x, rows, 10 + static_cast<double>(lines_of(labels)) * line_height);
    std::string svg = upright(labels, frame);
    svg += row_plot(frame, rows, [&](Row const& row, double middle) {
        std::vector<double> known;
        std::copy_if(row.values.begin(), row.values.end(), std::back_inserter(known),
                     [&](double value) { return std::isfinite(value) && frame.has_x(value); });
        std::string dots;
        if (!known.empty()) {
            dots +=
                line_between(frame.x(known.front()), middle, frame.x(known.back()), middle, "span");
        }
        for (std::size_t i = 0; i < known.size(); ++i) {
            dots += "<circle cx='" + px(frame.x(known[i])) + "' cy='" + px(middle) +
                    "' r='6' class='dot f" + std::to_string(std::min<std::size_t>(i, 2)) + "'/>";
        }
        return dots;
    });
    return drawing(plot_width, frame.bottom() + 42, svg);
}

std::string legend(std::vector<Series> const& series)
{
    std::string html = "<div class='legend'>";
    for (Series const& one : series) {
        html += "<span class='" + colour_class(one.colour) +
                "'><svg viewBox='0 0 28 10'><path class='line" + (one.is_bold ? " bold" : "") +
                "' d='M1 5H27'/></svg><i>" + escaped(one.name) + "</i></span>";
    }
    return html + "</div>\n";
}

OverlayPicture overlay_picture(std::vector<OverlayNode> const& nodes,
                               std::vector<OverlayEdge> const& edges,
                               std::vector<std::string> const& classes)
{
    return Overlay{nodes, edges, classes}.picture();
}

} // namespace ppsp::sim::report
