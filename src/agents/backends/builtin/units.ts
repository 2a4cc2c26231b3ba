type Quantity = "length" | "mass" | "time" | "volume" | "area" | "speed" | "data" | "temperature";

/** Quantity, how many of its base unit one is, and where its zero lies in base units. */
type Unit = readonly [Quantity, number, number?];

const foot = 0.3048;
const pound = 0.453_592_37;

const table: readonly (readonly [names: string, unit: Unit])[] = [
  ["mm millimeter millimetre 毫米", ["length", 0.001]],
  ["cm centimeter centimetre 厘米 公分", ["length", 0.01]],
  ["m meter metre 米", ["length", 1]],
  ["km kilometer kilometre 公里 千米", ["length", 1_000]],
  ["in inch inches 英寸", ["length", foot / 12]],
  ["ft foot feet 英尺", ["length", foot]],
  ["yd yard 码", ["length", foot * 3]],
  ["mi mile 英里", ["length", foot * 5_280]],
  ["里", ["length", 500]],
  ["mg milligram 毫克", ["mass", 0.000_001]],
  ["g gram 克", ["mass", 0.001]],
  ["kg kilogram kilo 千克 公斤", ["mass", 1]],
  ["t tonne 吨", ["mass", 1_000]],
  ["oz ounce 盎司", ["mass", pound / 16]],
  ["lb pound 磅", ["mass", pound]],
  ["斤", ["mass", 0.5]],
  ["ms millisecond 毫秒", ["time", 0.001]],
  ["s sec second 秒", ["time", 1]],
  ["min minute 分钟", ["time", 60]],
  ["h hr hour 小时", ["time", 3_600]],
  ["day 天", ["time", 86_400]],
  ["week 周 星期", ["time", 604_800]],
  ["ml milliliter millilitre 毫升", ["volume", 0.001]],
  ["l liter litre 升", ["volume", 1]],
  ["gal gallon 加仑", ["volume", 3.785_411_784]],
  ["m2 平方米", ["area", 1]],
  ["km2 平方公里", ["area", 1_000_000]],
  ["acre 英亩", ["area", 4_046.856_422_4]],
  ["ha hectare 公顷", ["area", 10_000]],
  ["亩", ["area", 2_000 / 3]],
  ["m/s", ["speed", 1]],
  ["km/h kph", ["speed", 1 / 3.6]],
  ["mph", ["speed", (foot * 5_280) / 3_600]],
  ["b byte 字节", ["data", 1]],
  ["kb", ["data", 1e3]],
  ["mb", ["data", 1e6]],
  ["gb", ["data", 1e9]],
  ["tb", ["data", 1e12]],
  ["mib", ["data", 2 ** 20]],
  ["gib", ["data", 2 ** 30]],
  ["c celsius 摄氏度", ["temperature", 1, 273.15]],
  ["f fahrenheit 华氏度", ["temperature", 5 / 9, 273.15 - 32 * (5 / 9)]],
  ["k kelvin 开尔文", ["temperature", 1]],
];

const units = new Map(
  table.flatMap(([names, unit]) => names.split(" ").map((name) => [name, unit])),
);

function find(name: string): Unit | undefined {
  const plain = name
    .toLowerCase()
    .replace(/^(?:degrees?|deg|°) ?/, "")
    .replace("²", "2");
  return units.get(plain) ?? units.get(plain.replace(/s$/, ""));
}

/** `null`: they measure different things. A name that is no unit is answered as text. */
export function convert(value: number, from: string, to: string): number | null | string {
  const [source, target] = [find(from), find(to)];
  if (source === undefined) return from;
  if (target === undefined) return to;
  if (source[0] !== target[0]) return null;
  return (value * source[1] + (source[2] ?? 0) - (target[2] ?? 0)) / target[1];
}
