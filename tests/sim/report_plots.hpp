#pragma once

#include "tests/sim/run_result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ppsp::sim::report {

/// `&`, `<`, `>` and quotes as HTML wants them.
[[nodiscard]] std::string escaped(std::string_view text);
/// With that many decimals and thin spaces between thousands; a dash for what is no number.
[[nodiscard]] std::string number(double value, int decimals);
/// As short as it can be said: three digits that count.
[[nodiscard]] std::string short_number(double value);
[[nodiscard]] std::string percent(double share, int decimals);

/// Colours are classes of the page's style sheet, c0 to c8: 0 is the colour of text and stands for
/// all peers, the others go round.
[[nodiscard]] std::string colour_class(std::size_t colour);

struct Point {
    double x = 0;
    double y = 0;
};

struct Series {
    std::string name;
    std::size_t colour = 0;
    std::vector<Point> points; ///< a point that is no number is a gap
    bool is_bold = false;
};

/// A line across the plot, with its name.
struct Mark {
    double at = 0;
    std::string label;
};

/// A time in which something was different.
struct Band {
    double from = 0;
    double to = 0;
};

enum class Scale : std::uint8_t { linear, log };
enum class Unit : std::uint8_t { plain, percent };

struct Axis {
    std::string label; ///< says the unit
    double from = 0;
    double to = 1;
    Scale scale = Scale::linear;
    Unit unit = Unit::plain;
};

struct LinePlot {
    Axis x;
    Axis y;
    std::vector<Series> series;
    std::vector<Mark> marks_x; ///< upright lines
    std::vector<Mark> marks_y; ///< level lines
    std::vector<Band> bands;
    double height = 250; ///< of what is between the axes; the drawing is 560 wide
};
/// Lines over two axes as an <svg>; what lies outside the axes is cut off.
[[nodiscard]] std::string line_plot(LinePlot const& plot);

/// One row of a plot whose rows have names.
struct Row {
    std::string name;
    std::size_t colour = 0;
    std::vector<double> values;
    std::string text; ///< what is written at the end of the row
};

/// Bars of values[0] as a frame, filled up to values[1].
[[nodiscard]] std::string bar_plot(Axis const& x, std::vector<Row> const& rows);
/// Dots for the values of each row, on a line, from full to hollow.
[[nodiscard]] std::string dot_plot(Axis const& x, std::vector<Row> const& rows,
                                   std::vector<Mark> const& marks);

/// A line and a dot in the colours of the series, with its name.
[[nodiscard]] std::string legend(std::vector<Series> const& series);

/// Who feeds whom: the source in the middle, nodes as far from it as they are late.
struct OverlayPicture {
    std::string svg;
    std::size_t nodes_drawn = 0;
    std::size_t edges_drawn = 0;
    std::size_t nodes_without_delay = 0; ///< on the outermost ring
};
/// `classes` give the colours: the first has colour 1.
[[nodiscard]] OverlayPicture overlay_picture(std::vector<OverlayNode> const& nodes,
                                             std::vector<OverlayEdge> const& edges,
                                             std::vector<std::string> const& classes);

} // namespace ppsp::sim::report
