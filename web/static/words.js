// The service's codes in words for people. An unknown code is shown with spaces instead of underscores.

const REASONS = {
  synthetic_index: "The index of this installation is generated, for demonstration. No disease is named from it.",
  unusable_photo: "The photo shows too little for an answer. See the advice under Quality of the photo.",
  modality_conflict: "The photo does not look like the kind of photo that was chosen.",
  not_skin: "The photo does not seem to show skin.",
  not_calibrated: "It is not known how often answers from this index are right.",
  cosmetic_mode: "This installation names no diseases.",
  no_colours: "The photo does not show the colours of the skin. See the advice under Quality of the photo.",
  dermatoscopic_photo: "The labelled cases are ordinary photos. A photo through a dermatoscope cannot be compared with them.",
  clinical_photo: "The labelled cases are photos through a dermatoscope. An ordinary photo cannot be compared with them.",
  unlike_index: "The photo is unlike the labelled cases, so they say little about it.",
  head_and_neighbours_disagree: "Similar cases and the trained classifier disagree about this photo, so neither is reliable.",
  too_many_conditions: "Too many conditions remain possible to be a useful answer.",
  nothing_likely: "Similar cases do not support any condition enough. This does not mean that nothing is there.",
  too_few_to_calibrate: "There are too few labelled cases to say how often an answer would be right.",
  tone_unknown: "The skin tone was not measured with a colour card, so the figures are for all tones together.",
  tone_group_too_few: "There are too few labelled cases of this skin tone, so the figures are for all tones together.",
};
const MODALITIES = {
  face: "Face",
  lesion_close_up: "One lesion, close up",
  close_up: "Skin",
  dermatoscopic: "Through a dermatoscope",
  not_skin: "Not skin",
};
const REGIONS = {
  photo: "Whole photo",
  skin: "Skin",
  face: "Face",
  lesion: "Lesion",
  lesion_minus_surrounding: "Lesion against the skin around it",
};
const OVERLAYS = {
  skin_mask: ["Skin", "The area in which skin was found. All measurements are made there."],
  lesion: ["Outlined area", "The outline of the spot or area that was found."],
  zones: ["Face zones", "The zones that are measured one by one."],
  melanin: ["Melanin", "Brown pigment, computed from the colours."],
  haemoglobin: ["Haemoglobin", "Redness from blood, computed from the colours."],
  similar_cases: ["Where the search looked", "The parts of the photo that made it similar to the cases."],
  lesion_class: ["Where the lesion model looked", "The parts of the photo that led to the first class."],
};
const BANDS = { high: "high", possible: "possible", unlikely: "unlikely" };
const CERTAINTIES = { clear: "Clear", likely: "Likely", uncertain: "Uncertain" };
const CHANGES = { higher: "Higher", lower: "Lower", no_detectable_change: "No change found", not_comparable: "Not comparable" };
const STAGES = { queue: "Waiting", decode: "Reading", faces: "Faces", encode: "Embedding", search: "Search", classify: "Lesion model", measure: "Measuring", outline: "Outlines", explain: "Heat maps" };

export const plain = (code) => sentenceCase(String(code).replaceAll("_", " "));
export const reason = (code) => REASONS[code] ?? `${plain(code)}.`;
export const modality = (code) => MODALITIES[code] ?? (code ? plain(code) : "Kind of photo not determined");
export const region = (code) => REGIONS[code] ?? plain(code);
export const band = (code) => BANDS[code] ?? plain(code).toLowerCase();
export const certainty = (code) => CERTAINTIES[code] ?? plain(code);
export const change = (code) => CHANGES[code] ?? plain(code);
export const stage = (code) => STAGES[code] ?? plain(code);
/** [name, what it shows] of an overlay. */
export const overlay = (code) => OVERLAYS[code] ?? [plain(code), ""];
/** SCIN's codes, such as AGE_50_TO_59, FST3 or TORSO_FRONT. */
export const ageGroup = (code) => sentenceCase(code.replace(/^AGE_/, "").replaceAll("_", " ").toLowerCase().replace(" to ", "–"));
export const fitzpatrick = (code) => ROMAN[Number(String(code).replace(/\D/g, ""))] ?? plain(code);

const ROMAN = [undefined, "I", "II", "III", "IV", "V", "VI"];

function sentenceCase(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
