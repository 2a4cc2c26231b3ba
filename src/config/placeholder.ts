/**
 * What some program should have put a value in the place of: `${KEY}`, `$(KEY)`, `{{ key }}`. Nothing is replaced here,
 * and no value of a setting is one of these, nor an address with one in it.
 */
const whole = /^\s*(?:\$\{\w+[^}]*\}|\$\(\w+\)|\{\{.*\}\})\s*$/s;
const inside = /\$\{\w+[^}]*\}|\$\(\w+\)|\{\{.*\}\}/s;
const address = /^\s*[a-z][a-z\d+.-]*:\/\//i;

export function isPlaceholder(text: string): boolean {
  return (address.test(text) ? inside : whole).test(text);
}
